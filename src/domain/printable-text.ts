/** All but tab and line feed. What they do on a terminal goes from colours to its clipboard. */
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;
const ALL_CONTROLS = new RegExp(CONTROLS, 'g');

/** Text of a source, a server or a file name as it may be shown: nothing in it moves the cursor or is taken for a command. */
export function printableText(text: string): string {
  return CONTROLS.test(text) ? text.replaceAll(ALL_CONTROLS, '\u{fffd}') : text;
}
