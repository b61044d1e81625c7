export type Language = 'en' | 'fa';

/** Texts of this dialect that a client may compare: exactly those of the contract (fandogh.md 1). */
export const TEXTS = {
  imageCreated: { en: 'Image created successfully', fa: 'تصویر با موفقیت ایجاد گردید' },
  versionCreated: { en: 'Version created successfully', fa: 'ورژن جدید با موفقیت ساخته شد' },
  namespaceCreated: { en: 'Namespace created successfully', fa: 'فضانام با موفقیت ایجاد گردید' },
  imageDeleted: { en: 'Image Deleted Successfully', fa: 'تصویر با موفقیت حذف گردید' },
} as const satisfies Record<string, Record<Language, string>>;

/** By the path alone: `/fa/api` is the same API in Persian. */
export function languageOf(url: string): Language {
  return url.startsWith('/fa/') ? 'fa' : 'en';
}
