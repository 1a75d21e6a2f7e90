// SPDX-License-Identifier: Apache-2.0
// pages.mjs - all pages of a list that an official client asks for: `list` gets { cursor }, `member` has the entries.
export async function all(list, member) {
  const found = [];
  for (let cursor; ;) {
    const page = await list(cursor === undefined ? {} : { cursor });
    found.push(...page[member]);
    if ((cursor = page.nextCursor) === undefined) return found;
  }
}
