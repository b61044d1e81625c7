import { crc32, deflateRawSync } from 'node:zlib';
import { pack } from 'tar-stream';

type TarMember = Parameters<ReturnType<typeof pack>['entry']>[0] & { content?: string };
const MTIME = new Date(1_700_000_000_000);

export async function tar(...members: TarMember[]): Promise<Buffer> {
  const stream = pack();
  for (const { content, ...header } of members) stream.entry({ mtime: MTIME, ...header }, content ?? '');
  stream.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

interface ZipMember {
  name: string;
  content?: string | Buffer;
  mode?: number;
  flags?: number;
  method?: number;
  crc?: number;
  size?: number;
  offset?: number;
}

/** As Info-ZIP does it on Unix, with lies where asked for. */
export function zip(...members: ZipMember[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const { name, mode = 0o100644, flags = 0x800, method = 8 } = member;
    const content = Buffer.from((member.content ?? '') as string);
    const packed = method === 0 ? content : deflateRawSync(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(method, 4);
    fields.writeUInt16LE(0x6000, 6);
    fields.writeUInt16LE(0x5921, 8);
    fields.writeUInt32LE(member.crc ?? crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(member.size ?? content.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(member.offset ?? offset, 10);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), fields, tail, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

export const dir = (name: string): TarMember => ({ name, type: 'directory' });
export const file = (name: string, content = '', mode = 0o644): TarMember => ({ name, content, mode });
export const link = (name: string, linkname: string): TarMember => ({ name, linkname, type: 'symlink' });
export const hard = (name: string, linkname: string): TarMember => ({ name, linkname, type: 'link' });
export const LINK_MODE = 0o120777;
