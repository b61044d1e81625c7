import { fieldError } from '../errors.ts';
import { requiredText } from './body.ts';

const NAME = /^[A-Za-z0-9\-_]+$/;
const LONGEST_NAME = 100;

/** The name of a new image (fandogh.md 1.5), with what is wrong with it as the field's own errors. */
export function requiredName(name: unknown): string {
  const text = requiredText('name', name);
  if (text === '') throw fieldError('name', 'This field may not be blank.');
  const wrong = [
    ...(text.length > LONGEST_NAME ? [`The name has at most ${LONGEST_NAME} characters.`] : []),
    ...(NAME.test(text) ? [] : ['Enter a valid value.']),
  ];
  if (wrong.length > 0) throw fieldError('name', ...wrong);
  return text;
}
