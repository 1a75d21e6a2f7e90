// SPDX-License-Identifier: Apache-2.0
// provider.mjs - the person and the memory that the official client's OAuth needs: whoever is sent to an authorization
// server consents there at once, and credentials are kept for the issuer that gave them (SEP-2352).
import { StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";

const redirectUrl = "http://localhost:3000/callback";

export class Person {
  clients = new Map();
  redirectUrl = redirectUrl;
  clientMetadata = { client_name: "nakoso-test", redirect_uris: [redirectUrl], grant_types: ["authorization_code", "refresh_token"] };
  // `clientMetadataUrl` is the client's id where servers take such; `registered` what an operator registered by hand.
  constructor({ clientMetadataUrl, registered } = {}) { Object.assign(this, { clientMetadataUrl, registered }); }
  clientInformation({ issuer } = {}) { return this.registered ?? this.clients.get(issuer); }
  saveClientInformation(client, { issuer } = {}) { this.clients.set(issuer, client); }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.kept = tokens; }
  codeVerifier() { return this.verifier; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  invalidateCredentials(what) {
    if (what === "all" || what === "client") this.clients.clear();
    if (what === "all" || what === "tokens") this.kept = undefined;
  }
  async redirectToAuthorization(url) {
    const answer = await fetch(url, { redirect: "manual" });
    this.consent = new URL(answer.headers.get("location")).searchParams;
  }
}

// Runs `what` with a client that `make` makes and connects; when somebody has to consent first, again afterwards.
export async function withConsent(url, person, make, what) {
  for (let left = 2; ; left--) {
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: person });
    const client = make();
    try {
      await client.connect(transport);
      return await what(client);
    } catch (e) {
      if (!(e instanceof UnauthorizedError) || !person.consent || left === 0) throw e;
      const consent = person.consent;
      person.consent = undefined;
      await transport.finishAuth(consent);
    } finally {
      await client.close();
    }
  }
}
