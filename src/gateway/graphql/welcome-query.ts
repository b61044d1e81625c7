/** What GraphiQL shows first. */
export const WELCOME_QUERY = `# Stowage: from a git commit to a verified, reproducible bundle.
#
# Log in at /login, or put a token into the headers below: {"Authorization": "Bearer <token>"}.
# "stowage user token" makes one; the administrator's password works as well (Basic).

query Requests {
  me { name isAdmin scopes }
  bundleRequests(first: 10) {
    totalCount
    nodes { number state stateReason repository commit packagesCount dependenciesCount }
  }
}

mutation Submit {
  submitBundleRequest(input: { repository: "https://git.example/org/app.git", ref: "main" }) {
    ... on Error { code message hint }
    ... on MutationSubmitBundleRequestSuccess { data { number state } }
  }
}

query WhichBundlesContain {
  components(purl: "pkg:npm/lodash", range: "<4.17.21") {
    nodes { purl requests(first: 5) { nodes { number repository commit } } }
  }
}

subscription Watch {
  bundleRequestEvents(number: 1) { version type data }
}
`;
