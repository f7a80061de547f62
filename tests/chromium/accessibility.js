// What a page owes to everybody, as far as its document can tell. Gives what is missing.
const problems = [];
const say = (text, element) => problems.push(element ? `${text}: ${element.outerHTML.slice(0, 160)}` : text);
const all = (css) => [...document.querySelectorAll(css)];
const shown = (element) => element.getClientRects().length > 0;
const byIds = (ids) => ids.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
const name = (element) =>
  (
    element.getAttribute("aria-label") ||
    (element.hasAttribute("aria-labelledby") && byIds(element.getAttribute("aria-labelledby"))) ||
    element.innerText ||
    [...element.querySelectorAll("img")].map((image) => image.alt).join(" ") ||
    element.title ||
    ""
  ).trim();

if (!/^[a-z]{2}/.test(document.documentElement.lang)) say("no language");
if (!document.title.trim()) say("no title");
if (all("h1").length !== 1) say(`${all("h1").length} first headings`);
if (all("main").length !== 1) say(`${all("main").length} main landmarks`);
let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6")) {
  const next = Number(heading.tagName.slice(1));
  if (next > level + 1) say("a heading skips a level", heading);
  if (!heading.textContent.trim()) say("an empty heading", heading);
  level = next;
}
// Everything that is read is in a landmark.
for (const child of document.body.children) {
  if (shown(child) && !["MAIN", "HEADER", "FOOTER", "NAV"].includes(child.tagName)) say("outside every landmark", child);
}
for (const field of all("input:not([type=hidden]), select, textarea")) {
  const labels = [...(field.labels ?? [])].filter((label) => label.innerText.trim());
  if (labels.length !== 1) say("a field without its one label", field);
}
for (const button of all("button, a, [role=button], summary")) if (!name(button)) say("it has no name", button);
for (const button of all("button")) if (!button.hasAttribute("type")) say("it has no type", button);
for (const image of all("img")) if (!image.hasAttribute("alt")) say("it has no alternative", image);
for (const image of all("svg")) {
  if (image.getAttribute("aria-hidden") !== "true" && !image.getAttribute("aria-label")) say("it has no alternative", image);
}
for (const frame of all("iframe")) if (!frame.title) say("it has no title", frame);
for (const element of all("[tabindex]")) if (element.tabIndex > 0) say("it jumps the queue", element);
for (const link of all("a")) if (!link.href) say("it leads nowhere", link);
for (const link of all("a[target=_blank]")) {
  if (!/noopener/.test(link.rel)) say("it hands over this window", link);
}
const ids = all("[id]").map((element) => element.id);
for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) say(`#${id} twice`);
for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls", "for"]) {
  for (const element of all(`[${attribute}]`)) {
    for (const id of element.getAttribute(attribute).split(/\s+/)) {
      if (!document.getElementById(id)) say(`${attribute} points nowhere`, element);
    }
  }
}
// WCAG 2.2 section 2.5.8; links within a sentence are excepted there.
for (const target of all("button, input:not([type=hidden]), a")) {
  const box = target.getBoundingClientRect();
  if (shown(target) && (box.width < 24 || box.height < 24)) say(`a target of ${box.width} by ${box.height}`, target);
}
const viewport = document.querySelector("meta[name=viewport]")?.content ?? "";
if (!viewport.includes("width=device-width")) say("no viewport");
if (/user-scalable|maximum-scale/.test(viewport)) say("zooming is forbidden");
return problems;
