import { createHash } from 'node:crypto';
import { SESSION_TIMES } from '../../domain/identity/browser-sessions.ts';
import { type Html, Html as HtmlText, html } from './html.ts';
import { STYLE } from './page-style.ts';

/** The page at `/login`: a form, or who is logged in. `problem`: why it is shown again. */
export function loginPage({ user, problem }: { user: string | null; problem: string | null }): string {
  const title = user === null ? 'Log in' : 'Logged in';
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title} – Stowage</title>
    <style>${new HtmlText(STYLE)}</style>
  </head>
  <body>
    <header>
      <h1>Stowage</h1>
    </header>
    <main>
      <h2>${title}</h2>
      ${problem === null ? null : html`<p class="problem" id="problem" role="alert">${problem}</p>`}
      ${user === null ? form(problem !== null) : farewell(user)}
    </main>
  </body>
</html>
`.text;
}

function form(hasProblem: boolean): Html {
  const described = hasProblem ? html` aria-describedby="problem"` : null;
  return html`<form method="post" action="login">
        <p><label for="username">User name</label>
        <input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus${described}></p>
        <p><label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required${described}></p>
        <p><button>Log in</button></p>
      </form>
      <p>For <a href="graphql">GraphQL in this browser</a>. Programs use tokens.</p>`;
}

function farewell(user: string): Html {
  return html`<p>You are <b>${user}</b>. This browser may use <a href="graphql">GraphQL</a> for you until you log out, for ${hours(SESSION_TIMES.idleSeconds)} after its last request, and for ${hours(SESSION_TIMES.lifetimeSeconds)} in all.</p>
      <form method="post" action="logout"><p><button>Log out</button></p></form>`;
}

function hours(seconds: number): string {
  return `${seconds / 3600} hours`;
}

export const LOGIN_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');
