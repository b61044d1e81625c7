import type { BundleFile } from '../../../domain/bundles/bundle-file.ts';
import { PIP_DIRECTORY } from './layout.ts';

/**
 * One relative link for each archive, with its digest (prefetch.md 5.3). pip reads the page as part of
 * `--find-links deps/pip`, so that it finds files in folders.
 */
export function renderIndexPage(files: readonly BundleFile[]): Buffer {
  const links = files
    .map(({ path, digest }) => ({
      path: path.slice(PIP_DIRECTORY.length + 1),
      hex: digest.slice('sha256:'.length),
    }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
    .map(({ path, hex }) => {
      const href = path.split('/').map(encodeURIComponent).join('/');
      return `<a href="${href}#sha256=${hex}">${escapeHtml(path.slice(path.lastIndexOf('/') + 1))}</a><br>\n`;
    });
  return Buffer.from(
    `<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"><title>deps/pip</title></head>\n<body>\n${links.join('')}</body>\n</html>\n`,
  );
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
