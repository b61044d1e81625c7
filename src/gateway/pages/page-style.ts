/** For light and dark, narrow and wide. */
export const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d5dae1, #353b45); --soft: light-dark(#f5f7f9, #1c2027);
  --text: light-dark(#1d232b, #e3e7ed); --faint: light-dark(#59626f, #9aa4b2); --link: light-dark(#0b57b0, #7db4ff); }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: light-dark(#fff, #14171c); }
header, main { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3rem; }
h1 { font-size: 2.4rem; margin: 0; letter-spacing: -.02em; }
header p { font-size: 1.15rem; color: var(--faint); max-width: 44rem; margin: .4rem 0 2rem; }
h2 { margin: 2.5rem 0 .6rem; }
h3 { margin: 2rem 0 .6rem; font-size: 1.05rem; color: var(--faint); }
a { color: var(--link); text-underline-offset: .15em; }
.places { list-style: none; padding: 0; display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
.places a { display: block; height: 100%; padding: .9rem 1rem; border: 1px solid var(--line); border-radius: .5rem;
  text-decoration: none; background: var(--soft); }
.places a:hover, .places a:focus-visible { border-color: var(--link); }
.places span { display: block; color: var(--faint); font-size: .93rem; }
pre, code { font: .9em/1.5 ui-monospace, monospace; }
pre { padding: .9rem 1rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--soft); overflow-x: auto; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .4rem 0; overflow-x: auto; }
details > div { padding: .2rem 1rem .8rem; }
details > div:target { outline: 2px solid var(--link); outline-offset: -2px; }
summary { padding: .55rem 1rem; cursor: pointer; background: var(--soft); }
summary span { color: var(--faint); margin-left: .5rem; }
summary b { display: inline-block; min-width: 3.6rem; font: 600 .8rem ui-monospace, monospace; }
.get { color: light-dark(#0a6b3d, #5fd39a); } .post { color: light-dark(#0b57b0, #7db4ff); } .patch { color: light-dark(#8a5300, #f0b45a); }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 500; }
main { padding-bottom: 4rem; }
label { display: block; color: var(--faint); }
input { font: inherit; width: 100%; max-width: 24rem; padding: .45rem .6rem; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--soft); color: inherit; }
button { font: inherit; padding: .45rem 1.2rem; border: 1px solid var(--link); border-radius: .4rem; background: var(--link);
  color: light-dark(#fff, #14171c); cursor: pointer; }
.problem { border-left: .25rem solid light-dark(#b3261e, #f2766e); padding: .4rem .8rem; background: var(--soft); max-width: 44rem; }
`;
