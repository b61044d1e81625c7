/** Details of an error with all texts in them masked, however deep: errors quote URLs and commands. */
export function maskedDetails<Details>(details: Details, mask: (text: string) => string): Details {
  const text = JSON.stringify(details, (_, value) => (typeof value === 'string' ? mask(value) : value));
  return JSON.parse(text) as Details;
}
