"""How the report looks."""

STYLE = """
:root { color-scheme: light; --ink: #1d1c1a; --soft: #6f6a62; --rule: #e4dfd5; --paper: #fdfcf9; --good: #2c6e49;
  --video: #b0532b; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font-variant-numeric: tabular-nums lining-nums;
  font: 16px/1.5 Charter, "Bitstream Charter", "Iowan Old Style", "Palatino Linotype", Georgia, "DejaVu Serif", serif; }
main { max-width: 1080px; margin: 0 auto; padding: 72px 32px 96px; }
h1 { font-size: 40px; line-height: 1.15; font-weight: 400; letter-spacing: -0.01em; margin: 4px 0 20px; }
h2 { font-size: 22px; font-weight: 400; margin: 72px 0 6px; padding-top: 14px; border-top: 1px solid var(--ink); }
small, .kicker, dt, th, figcaption, svg text, .blank, .key, em { font-family: system-ui, "Helvetica Neue", Helvetica,
  Arial, "DejaVu Sans", sans-serif; }
.kicker { margin: 0; font-size: 12px; letter-spacing: 0.14em; text-transform: uppercase; color: var(--video); }
.about { max-width: 70ch; margin: 0 0 26px; color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 6px 30px; margin: 0; }
.facts dt { font-size: 11px; color: var(--soft); }
.facts dd { margin: 0; font-size: 15px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 24px; margin: 56px 0 0; }
.figures strong { display: block; font-size: 60px; line-height: 1; font-weight: 400; letter-spacing: -0.03em; }
.figures span { display: block; margin-top: 10px; }
.figures small { display: block; color: var(--soft); font-size: 12px; }
.tables { display: flex; flex-wrap: wrap; gap: 24px 56px; align-items: flex-start; }
table { border-collapse: collapse; }
table:first-child { flex: 1 1 620px; }
th { font-weight: 400; font-size: 13px; text-align: left; }
thead th { color: var(--soft); text-align: right; padding: 0 0 8px 18px; }
td { text-align: right; padding: 7px 0 7px 18px; font-size: 17px; }
tbody tr { border-top: 1px solid var(--rule); }
td.cross_modal { font-weight: 600; }
td.language_prior, td.chance { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(3, 1fr); gap: 28px 32px; }
figure { margin: 0; }
figcaption { font-size: 13px; margin-bottom: 6px; }
figcaption i { font-style: normal; color: var(--soft); }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 10.5px; fill: var(--soft); }
svg .rule { stroke: var(--rule); stroke-width: 1; }
svg polyline { fill: none; stroke-linejoin: round; }
svg .train { stroke: #c9c1b3; stroke-width: 1.2; }
svg .held { stroke: var(--video); stroke-width: 2; }
svg circle.train { fill: #c9c1b3; } svg circle.held { fill: var(--video); }
.key { font-size: 12px; white-space: nowrap; margin-left: 14px; }
.key::before { content: ""; display: inline-block; width: 20px; margin-right: 6px; vertical-align: middle;
  border-top: 2px solid var(--video); }
.key.thin::before { border-top-color: #c9c1b3; }
.nothing { color: var(--soft); font-size: 14px; }
.reading { display: grid; grid-template-columns: minmax(0, 1fr) 396px; gap: 32px; padding: 20px 0;
  border-top: 1px solid var(--rule); }
.frames { display: flex; gap: 4px; }
.frames img { flex: 0 1 96px; min-width: 0; aspect-ratio: 1; object-fit: cover; border-radius: 2px; }
.truth { margin: 10px 0 0; font-size: 17px; }
em { font-style: normal; font-size: 11px; color: var(--video); margin-left: 8px; }
.narration { margin: 2px 0 0; color: var(--soft); font-style: italic; font-size: 14px; max-width: 62ch; }
.narration::before { content: "“"; } .narration::after { content: "”"; }
.blanks { display: grid; grid-template-columns: 1fr 1fr; gap: 24px; }
.blanks ol, .picturing ol { list-style: none; margin: 0; padding: 0; }
.blank { font-size: 11px; color: var(--soft); margin-bottom: 4px; }
.blanks li:not(.blank) { display: grid; grid-template-columns: 1fr 44px 32px; align-items: center; gap: 6px;
  font-size: 15px; }
.blanks span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.blanks b { height: 5px; background: #d2cabb; border-radius: 1px; }
.blanks small { font-size: 11px; color: var(--soft); text-align: right; }
.right span { color: var(--good); font-weight: 600; }
.right b { background: var(--good); }
.wrong span { color: var(--soft); }
.picturings { display: grid; grid-template-columns: 1fr 1fr; column-gap: 40px; }
.picturing { padding: 20px 0 12px; border-top: 1px solid var(--rule); }
.picturing p { margin: 0 0 10px; }
.picturing ol { display: flex; gap: 4px; }
.picturing li { flex: 0 1 88px; display: grid; gap: 4px; align-content: start; justify-items: center; }
.picturing img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 2px; }
.picturing img + img { width: 58%; opacity: 0.85; }
@media (max-width: 820px) { .reading { grid-template-columns: 1fr; } .charts { grid-template-columns: 1fr 1fr; }
  .picturings { grid-template-columns: 1fr; } main { padding: 40px 18px; } }
@media print { main { padding: 0; } article, figure { break-inside: avoid; } }
"""
