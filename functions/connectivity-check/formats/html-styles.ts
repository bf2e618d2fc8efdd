/** Light or dark by the reader's setting; one column on a phone. */
export const styles = `
:root {
  --page: #f5f6f8; --card: #fff; --text: #1c2430; --quiet: #667085; --line: #e4e7ec;
  --passed: #12805c; --failed: #c8322b; --warning: #a15c07; --idle: #98a2b3; --bar: #b9d7f5;
  --failed-tint: #fdeceb; --warning-tint: #fdf3e1; --passed-tint: #e6f5ef;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151c; --card: #1a202a; --text: #e8ecf2; --quiet: #98a2b3; --line: #2b3442;
    --passed: #4cc38a; --failed: #ff7a70; --warning: #f0b455; --idle: #667085; --bar: #2f5a86;
    --failed-tint: #3a1d1c; --warning-tint: #36290f; --passed-tint: #12301f;
  }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
header, main { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; padding-bottom: 1rem; }
.kind { color: var(--quiet); font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; }
h1 { font-size: clamp(1.2rem, 4.6vw, 1.75rem); line-height: 1.2; display: flex; gap: .6rem; align-items: center; overflow-wrap: anywhere; }
h1 .mark { flex: none; width: 2.2rem; height: 2.2rem; border-radius: 50%; display: grid; place-items: center; font-size: 1.1rem; color: var(--card); }
header.passed .mark { background: var(--passed); }
header.failed .mark { background: var(--failed); }
header.warning .mark { background: var(--warning); }
.summary { color: var(--quiet); margin-top: .35rem; }
h2 { font-size: 1rem; overflow-wrap: anywhere; }
article, .finding { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.1rem; min-width: 0; }
.finding { margin-bottom: 1rem; border-left: .35rem solid; overflow-wrap: anywhere; }
.finding.failed { background: var(--failed-tint); border-left-color: var(--failed); }
.finding.warning { background: var(--warning-tint); border-left-color: var(--warning); }
.finding h2 span { color: var(--quiet); font-weight: 400; }
.finding p { margin-top: .35rem; }
.places, .details { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); align-items: start; margin-bottom: 1rem; }
.role { color: var(--quiet); font-size: .85rem; }
.days { height: .3rem; border-radius: 1rem; background: var(--line); margin: .4rem 0 0; overflow: hidden; }
.days i { display: block; height: 100%; border-radius: 1rem; }
.days.passed i { background: var(--passed); }
.days.warning i { background: var(--warning); }
.days.failed i { background: var(--failed); }
ol { list-style: none; padding: 0; margin-top: .7rem; }
li { display: grid; grid-template-columns: 1.1rem 6.2rem 1fr auto; column-gap: .5rem; align-items: center; padding: .16rem 0; }
li .mark { text-align: center; font-weight: 700; color: var(--idle); }
li.passed .mark { color: var(--passed); }
li.failed .mark, li.failed .stage { color: var(--failed); }
li.warning .mark, li.warning .stage { color: var(--warning); }
li.failed .stage, li.warning .stage { font-weight: 600; }
li.not-reached .stage, li.skipped .stage { color: var(--idle); }
.bar i { display: block; height: .45rem; border-radius: 1rem; background: var(--bar); min-width: 0; }
li.failed .bar i { background: var(--failed); }
.ms { color: var(--quiet); font-variant-numeric: tabular-nums; font-size: .82rem; }
.evidence { grid-column: 2 / -1; color: var(--quiet); font-size: .82rem; line-height: 1.35; overflow-wrap: anywhere; padding-bottom: .2rem; }
li.failed .evidence { color: var(--text); }
.probes { list-style: none; padding: .5rem 0 0; margin-top: .5rem; border-top: 1px solid var(--line); }
.probes li { display: block; color: var(--quiet); font-size: .82rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: fit-content(40%) minmax(0, 1fr); gap: .25rem 1rem; margin-top: .5rem; font-size: .9rem; }
dt { color: var(--quiet); overflow-wrap: anywhere; }
dd { overflow-wrap: anywhere; }
`;
