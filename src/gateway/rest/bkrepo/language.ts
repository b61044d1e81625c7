import type { Language } from './error-codes.ts';

/** Of the languages that `Accept-Language` names the one it likes best, if we have it; English otherwise. */
export function languageOf(header: string | undefined): Language {
  const wanted = (header ?? '')
    .slice(0, LONGEST_HEADER)
    .split(',')
    .map((item) => {
      const [tag = '', ...parameters] = item.split(';').map((part) => part.trim());
      const quality = parameters.find((part) => /^q=/i.test(part))?.slice(2) ?? '1';
      return { primary: tag.toLowerCase().split(/[-_]/, 1)[0]!, quality: Number(quality) };
    })
    .filter(({ quality }) => quality > 0)
    .sort((one, other) => other.quality - one.quality);
  const first = wanted.find(({ primary }) => primary === 'zh' || primary === 'en' || primary === '*');
  return first?.primary === 'zh' ? 'zh' : 'en';
}

const LONGEST_HEADER = 500;
