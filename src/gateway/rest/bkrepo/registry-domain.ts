/** What docker clients write before an image: host and port as clients reach us, no scheme. */
export function registryDomain(baseUrl: string): string {
  return URL.parse(baseUrl)?.host || 'localhost';
}
