/** Where tarballs lie in the bundle (prefetch.md 4.1); what lies below is the same for npm and yarn. */
export const YARN_DIRECTORY = 'deps/yarn';
