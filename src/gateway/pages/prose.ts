import { type Html, html } from './html.ts';

/** Paragraphs with blank lines between them. */
export function prose(text: string | undefined): Html | null {
  if (text === undefined) return null;
  return html`${text
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => html`<p>${inline(paragraph)}</p>`)}`;
}

/** Text in which `code` stands between backticks. */
export function inline(text: string | undefined): Html | null {
  if (text === undefined) return null;
  return html`${text.split('`').map((part, at) => (at % 2 === 0 ? part : html`<code>${part}</code>`))}`;
}
