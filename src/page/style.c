/* page/style.c -- see style.h. */
#include "page/style.h"

#include <string.h>

const struct style_colors style_light = {
    .ground = 0xFFFFFF,
    .panel = 0xF4F5F7,
    .ink = 0x1B1F24,
    .muted = 0x565E68,
    .line = 0xC9CED6,
    .link = 0x0B5CAD,
    /* blue, rust, green, violet, olive, teal, wine, gray */
    .hues = {0x2663A0, 0x642516, 0x0B7847, 0x860BAE, 0x605809, 0x1F7A71, 0x630D27, 0x44484E},
};
const struct style_colors style_dark = {
    .ground = 0x14171C,
    .panel = 0x1E2229,
    .ink = 0xE8EAED,
    .muted = 0xA6AFBA,
    .line = 0x3D444F,
    .link = 0x7CBBF5,
    .hues = {0x8AC2F5, 0xE1735D, 0xA1F3C0, 0xEB3CE9, 0xE1DD97, 0xAAE5F0, 0xEDA9C7, 0x8E9298},
};

const char *const style_dashes[STYLE_HUES] = {"none", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "9 3 2 3 2 3", "1 4"};

static void add_variables(struct text *out, const struct style_colors *colors)
{
    const struct {
        const char *name;
        uint32_t value;
    } plain[] = {{"ground", colors->ground}, {"panel", colors->panel}, {"ink", colors->ink},
                 {"muted", colors->muted},   {"line", colors->line},   {"link", colors->link}};
    text_add(out, ":root{");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        text_add(out, "--%s:#%06x;", plain[i].name, (unsigned)plain[i].value);
    for (int i = 0; i < STYLE_HUES; i++) text_add(out, "--h%d:#%06x;", i, (unsigned)colors->hues[i]);
    const unsigned first = colors->hues[0];
    text_add(out, "--rgb:%u,%u,%u}\n", first >> 16, first >> 8 & 255, first & 255);
}

static const char rules[] =
    "*{box-sizing:border-box}\n"
    "html{background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif;-webkit-text-size-adjust:100%}\n"
    "body{margin:0}\n"
    "main{max-width:60em;margin:0 auto;padding:1em 1.25em 4em}\n"
    "h1{font-size:1.7em;line-height:1.25;margin:.6em 0 .4em;overflow-wrap:anywhere}\n"
    "h2{font-size:1.3em;margin:2.2em 0 .5em;padding-top:.5em;border-top:1px solid var(--line)}\n"
    "h3{font-size:1.05em;margin:1.6em 0 .4em}\n"
    "p,li,dd{overflow-wrap:anywhere}\n"
    "p{margin:.5em 0 .8em;max-width:46em}\n"
    "a{color:var(--link)}\n"
    "code,pre{font:.9em/1.45 ui-monospace,monospace}\n"
    "pre{background:var(--panel);padding:.7em .9em;overflow-x:auto;border-radius:4px}\n"
    ".lead{font-size:1.15em}\n"
    ".muted,figcaption,caption{color:var(--muted)}\n"
    "figure{margin:1em 0}\n"
    "figcaption{font-size:.875em;overflow-wrap:anywhere}\n"
    ".scroll{overflow-x:auto;margin:1em 0}\n"
    "table{border-collapse:collapse;font-size:.85em}\n"
    "caption{text-align:left;padding-bottom:.4em}\n"
    "caption span{display:block;position:sticky;left:0;max-width:min(46em,calc(100vw - 3em))}\n"
    "th,td{padding:.3em .55em;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}\n"
    "thead th{border-bottom:2px solid var(--line);vertical-align:bottom}\n"
    "tbody th{font-weight:500;min-width:6em}\n"
    ".number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    ".shade{background:rgba(var(--rgb),var(--shade))}\n"
    ".confusion thead th+th{writing-mode:vertical-rl;text-align:left;font-weight:500}\n"
    ".setting{min-width:8.5em}\n"
    ".dense td,.dense th{padding:.15em .35em}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5em,1fr));gap:.75em;margin:1em 0;padding:0}\n"
    ".tile{background:var(--panel);border-radius:6px;padding:.7em .9em}\n"
    ".tile p{margin:0}\n"
    ".tile .big{font-size:1.55em;font-weight:600;line-height:1.2;font-variant-numeric:tabular-nums}\n"
    ".note{background:var(--panel);border-left:5px solid var(--h7);padding:.6em .9em;margin:.7em 0;max-width:48em}\n"
    ".note p{margin:.2em 0}\n"
    ".good{border-color:var(--h2)}.warn{border-color:var(--h1)}\n"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(var(--side),100%),var(--side)));gap:.7em;"
    "margin:1em 0}\n"
    ".grid figure{margin:0 0 .3em}.grid figcaption{margin-top:.4em}\n"
    ".grid figcaption{font-size:.75em;line-height:1.35}\n"
    ".grid img{width:100%;height:auto;display:block}\n"
    ".right img{outline:3px solid var(--h2)}.wrong img{outline:3px dashed var(--h1)}\n"
    ".query img{outline:3px solid var(--ink)}\n"
    "img{max-width:100%;height:auto}\n"
    ".pixels{image-rendering:pixelated}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(21em,100%),1fr));gap:.5em 1.5em}\n"
    ".charts figure{margin:.5em 0}\n"
    "svg{width:100%;height:auto;display:block}\n"
    "svg text{font:12px system-ui,sans-serif;fill:var(--ink)}\n"
    "svg .small{font-size:11px;fill:var(--muted)}\n"
    "svg .axis{stroke:var(--muted);fill:none}svg .rule{stroke:var(--line);fill:none}\n"
    "svg .named{stroke:var(--muted);stroke-dasharray:3 4;fill:none}\n"
    "svg .series{fill:none;stroke-width:2;stroke-linejoin:round}\n"
    "svg .big{font-size:16px}\n"
    "svg .dot{stroke:none}svg .halo{paint-order:stroke;stroke:var(--ground);stroke-width:3px;stroke-linejoin:round}\n"
    "svg .cloud{fill:none;stroke-linecap:round;stroke-width:4;stroke-opacity:.75}\n"
    "svg .square{stroke-linecap:square;stroke-width:3.4}\n"
    "details{margin:.8em 0}\n"
    "summary{cursor:pointer;font-weight:500}\n"
    "nav ol{columns:16em;padding-left:1.5em;margin:.5em 0 1em}\n"
    "dl{display:grid;grid-template-columns:minmax(7em,14em) 1fr;gap:.25em 1em;margin:.6em 0}\n"
    "dt{color:var(--muted)}dd{margin:0}\n"
    ":target>h2{text-decoration:underline}\n"
    "@media print{html{font-size:11px}main{max-width:none;padding:0}h2,h3{break-after:avoid}"
    "figure,tr,.tile,.note{break-inside:avoid}.scroll{overflow:visible}pre{white-space:pre-wrap}nav{display:none}"
    ".grid{grid-template-columns:repeat(auto-fill,minmax(58px,1fr));gap:.4em}"
    "details::details-content{content-visibility:visible;block-size:auto}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

void style_add(struct text *out)
{
    add_variables(out, &style_light);
    text_add(out, "@media screen and (prefers-color-scheme:dark){");
    add_variables(out, &style_dark);
    text_add(out, "}\n");
    for (int i = 0; i < STYLE_HUES; i++)
        text_add(out, "svg .h%d{stroke:var(--h%d);stroke-dasharray:%s}svg .f%d{fill:var(--h%d)}\n", i, i,
                 style_dashes[i], i, i);
    text_add(out, "svg .cloud{stroke-dasharray:none}\n");
    text_add_bytes(out, rules, sizeof rules - 1);
}
