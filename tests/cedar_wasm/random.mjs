// SPDX-License-Identifier: Apache-2.0
// random.mjs - numbers from a seed: the same seed makes the same cases on every machine (mulberry32).
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  below(n) {
    return this.next() % n;
  }
  between(from, to) {
    return from + this.below(to - from + 1);
  }
  // True in `percent` of 100 cases.
  chance(percent) {
    return this.below(100) < percent;
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  // `n` different members of the list, or all.
  some(list, n) {
    const rest = [...list];
    const out = [];
    while (out.length < n && rest.length) out.push(...rest.splice(this.below(rest.length), 1));
    return out;
  }
}
