export interface NetrcEntry {
  machine: string;
  login: string;
  password: string;
}

/** The machines of a netrc file. `default` is left out: credentials go to hosts that are named. */
export function parseNetrc(text: string): NetrcEntry[] {
  const entries: NetrcEntry[] = [];
  let current: NetrcEntry | null = null;
  const words = text
    .split(/\r?\n/)
    .flatMap((line) => (/^\s*#/.test(line) ? [] : line.split(/\s+/).filter(Boolean)));
  for (let at = 0; at < words.length; at++) {
    const value = words[at + 1] ?? '';
    switch (words[at]) {
      case 'machine':
        current = { machine: value, login: '', password: '' };
        entries.push(current);
        at++;
        break;
      case 'default':
        current = null;
        break;
      case 'login':
        if (current) current.login = value;
        at++;
        break;
      case 'password':
        if (current) current.password = value;
        at++;
        break;
    }
  }
  return entries;
}
