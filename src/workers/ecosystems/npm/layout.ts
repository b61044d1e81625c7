/** Where tarballs lie in the bundle (prefetch.md 3.1); what lies below is the same for npm and yarn. */
export const NPM_DIRECTORY = 'deps/npm';
