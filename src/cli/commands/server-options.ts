import { Option } from 'commander';

/** The same two options for every command that asks a server. */
export function serverOption(): Option {
  return new Option('--server <url>', 'use this server').env('STOWAGE_URL');
}

export function tokenOption(): Option {
  return new Option('--token <token>', 'token for the server').env('STOWAGE_TOKEN');
}
