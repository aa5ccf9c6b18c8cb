"""The style sheet of the HTML report: light and dark, phone and paper."""

from typing import Final

_LIGHT: Final = """
--paper:#ffffff; --ink:#1b1b1f; --soft:#595966; --line:#d9d9e0; --panel:#f5f5f8; --accent:#0b5c99;
--good:#1a6b3c; --warn:#8a4b00; --c0:#0072b2; --c1:#e69f00; --c2:#009e73; --c3:#d55e00;
--c4:#cc79a7; --c5:#56b4e9; --hatch:#ffffff;
"""
_DARK: Final = """
--paper:#16171b; --ink:#ececf0; --soft:#a7a8b4; --line:#3a3b45; --panel:#1f2026; --accent:#7cc0f5;
--good:#79d19b; --warn:#f2b366; --c0:#4ba6e0; --c1:#e9b13c; --c2:#36c49b; --c3:#f0803c;
--c4:#dd9bc0; --c5:#8ccdf2; --hatch:#16171b;
"""
_PAGE: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
 font:16px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;
 overflow-wrap:break-word}
main{max-width:1120px;margin:0 auto;padding:20px 16px 60px}
h1{font-size:1.55rem;line-height:1.2;margin:.4em 0}
h2{font-size:1.2rem;margin:2em 0 .5em;padding-top:.8em;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.4em 0 .4em}
p,ul{max-width:46rem} li{margin:.2em 0}
small,.soft{color:var(--soft)} code{font-size:.9em;overflow-wrap:anywhere}
.claim{font-size:1.08rem;border-left:4px solid var(--accent);padding:.2em 0 .2em .8em;margin:1em 0}
.wide{overflow-x:auto;margin:.6em 0;max-width:100%}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:.2em 0}
th,td{padding:.32em .7em .32em 0;text-align:right;vertical-align:top;
 border-bottom:1px solid var(--line)}
th{font-weight:600;vertical-align:bottom} th small{display:block;font-weight:400}
td{white-space:nowrap}
th:first-child,td:first-child,.text{text-align:left}
td:first-child,.text,.conditions td{white-space:normal}
td:first-child{min-width:8.5rem}
tr.sum td{font-weight:600}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:1em 0}
.facts div{background:var(--panel);border-radius:6px;padding:.6em .8em}
.facts b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:28px}
figure{margin:.8em 0;max-width:560px} figcaption{font-weight:600;margin-bottom:.5em}
svg{width:100%;height:auto;display:block} svg text{font-size:11px;fill:var(--ink)}
svg .num{text-anchor:end} svg .mid{text-anchor:middle}
svg .grid{stroke:var(--line)} svg .tick{stroke:var(--soft)}
svg .ref{stroke:var(--soft);stroke-dasharray:5 4;stroke-width:1.4}
svg polyline{fill:none;stroke-width:1.4} svg .ink{stroke:var(--hatch);stroke-width:1.1;fill:none}
svg .dot{fill:var(--hatch)}
.s0{fill:var(--c0)}.s1{fill:var(--c1)}.s2{fill:var(--c2)}.s3{fill:var(--c3)}.s4{fill:var(--c4)}
.s5{fill:var(--c5)}.p0{fill:none}.p1{fill:url(#h1)}.p2{fill:url(#h2)}.p3{fill:url(#h3)}
.p4{fill:url(#h4)}.p5{fill:url(#h5)}
.m0{fill:var(--c0)}.m1{fill:var(--c1)}.m2{fill:var(--c2)}.m3{fill:var(--c3)}
.l0{stroke:var(--c0)}.l1,.l2,.l3{stroke-dasharray:2 3}.l1{stroke:var(--c1)}.l2{stroke:var(--c2)}
.l3{stroke:var(--c3)}
pre{font-size:.75rem;overflow-x:auto;background:var(--panel);padding:.8em;border-radius:6px}
summary{cursor:pointer;color:var(--accent)}
.status{white-space:nowrap;font-weight:600} .checked{color:var(--good)} .declared{color:var(--warn)}
.conditions td:nth-child(3),.conditions td:nth-child(4){text-align:left}
.conditions td:nth-child(3){min-width:15rem}
.conditions td:first-child{min-width:0}
@media print{
 body{font-size:10.5pt} main{max-width:none;padding:0} h2{break-before:auto;break-after:avoid}
 figure,.facts,tr{break-inside:avoid} .wide{overflow:visible} table{font-size:7.5pt}
 th,td{padding-right:.45em} details::details-content{content-visibility:visible}
 pre{white-space:pre-wrap;font-size:6pt} .figures{grid-template-columns:1fr 1fr;gap:8mm}
}
"""

SHEET: Final = (
    f":root{{color-scheme:light dark;{_LIGHT}}}"
    f"@media (prefers-color-scheme:dark){{@media screen{{:root{{{_DARK}}}}}}}"
    f"{_PAGE}"
)
