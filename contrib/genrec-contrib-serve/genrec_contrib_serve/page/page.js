// The page asks the same routes as any program; what it shows is built by DOM calls, never from HTML text.

const byId = (id) => document.getElementById(id);
const history = []; // {item, title}, oldest first
let found = []; // what the search box offers
let active = -1; // which of them the arrow keys are at
let searching = null; // the search that is going on

/** An element with text and attributes. */
function element(name, text = "", attributes = {}, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** JSON of a route; throws an Error whose message a person can read. */
async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (byId("token").value) headers.Authorization = `Bearer ${byId("token").value}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer");
  }
  const body = await response.json();
  if (response.status === 401) byId("token-field").hidden = false;
  if (response.ok) return body;
  const { message, hint } = body.error;
  throw new Error(hint ? `${message}: ${hint}` : message);
}

async function showServed() {
  try {
    const about = await ask("about");
    const { run, model, identifiers } = about.versions;
    byId("served").textContent =
      `${about.pipeline}, ${about.items.toLocaleString("en")} items; run ${run}, model ${model}, identifiers ${identifiers}`;
    byId("problem").textContent = "";
  } catch (error) {
    byId("served").textContent = "";
    byId("problem").textContent = error.message;
  }
}

// The search box: a combobox, by keyboard or by pointer.

async function search() {
  searching?.abort();
  const query = byId("find").value.trim();
  if (!query) return offer([]);
  searching = new AbortController();
  try {
    offer(await ask(`items?limit=12&query=${encodeURIComponent(query)}`, { signal: searching.signal }));
  } catch (error) {
    if (error.name !== "AbortError") byId("problem").textContent = error.message;
  }
}

function offer(items) {
  const same = items.length > 0 && items.map((one) => one.item).join() === found.map((one) => one.item).join();
  if (same) return; // whoever has moved to one of them stays there
  found = items;
  active = -1;
  const list = byId("found");
  list.replaceChildren(
    ...items.map((one, place) => {
      const option = element("li", `${one.title} (${one.item})`, { role: "option", id: `found-${place}`, "aria-selected": "false" });
      option.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
      option.addEventListener("click", () => pick(place));
      return option;
    }),
  );
  list.hidden = !items.length;
  byId("find").setAttribute("aria-expanded", String(items.length > 0));
  byId("find").removeAttribute("aria-activedescendant");
}

function moveTo(place) {
  active = (place + found.length) % found.length;
  [...byId("found").children].forEach((option, number) => option.setAttribute("aria-selected", String(number === active)));
  byId("found").children[active].scrollIntoView({ block: "nearest" });
  byId("find").setAttribute("aria-activedescendant", `found-${active}`);
}

function pick(place) {
  history.push(found[place]);
  byId("find").value = "";
  offer([]);
  showHistory();
  byId("find").focus();
}

function showHistory() {
  byId("history").replaceChildren(
    ...history.map((one, place) => {
      const remove = element("button", "Remove", { type: "button", class: "remove", "aria-label": `Remove ${one.title}` });
      remove.addEventListener("click", () => {
        history.splice(place, 1);
        showHistory();
        (byId("history").querySelectorAll("button")[Math.min(place, history.length - 1)] ?? byId("find")).focus();
      });
      return element("li", "", {}, element("span", "", {}, element("span", one.title), remove));
    }),
  );
  byId("history-empty").hidden = history.length > 0;
}

byId("find").addEventListener("input", search);
byId("find").addEventListener("blur", () => offer([]));
byId("find").addEventListener("keydown", (event) => {
  if (event.key === "Escape") offer([]);
  if (!found.length) return;
  if (event.key === "ArrowDown") moveTo(active + 1);
  else if (event.key === "ArrowUp") moveTo(active < 0 ? -1 : active - 1);
  else if (event.key === "Enter") pick(Math.max(active, 0));
  else return;
  event.preventDefault();
});

// Asking, and what comes back.

byId("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const begin = performance.now();
  byId("problem").textContent = "";
  byId("status").textContent = "Asking…";
  byId("go").setAttribute("aria-busy", "true");
  try {
    if (!byId("served").textContent) await showServed();
    const asked = {
      history: history.map((one) => one.item), message: byId("wish").value.trim(), k: Number(byId("count").value), explain: true,
    };
    const answer = await ask("recommend", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked),
    });
    show(answer, performance.now() - begin);
  } catch (error) {
    byId("status").textContent = "";
    byId("problem").textContent = error.message;
  }
  byId("go").removeAttribute("aria-busy");
});

const MADE = { plain: "by the model", cold: "as the most popular, because nothing is known", "think-ahead": "by a thought prepared ahead" };

function show(answer, elapsed) {
  const { queued, model, batch } = answer.ms;
  const note = answer.note ? ` ${answer.note}.` : "";
  byId("status").textContent =
    `${answer.items.length} items ${MADE[answer.made_by]}. ${Math.round(elapsed)} ms in all: ${queued} ms in the queue, ` +
    `${model} ms of the model for a batch of ${batch}.${note}`;
  byId("thought").hidden = !answer.thought;
  byId("thought").querySelector("blockquote").textContent = answer.thought;
  byId("items").replaceChildren(...answer.items.map((one) => itemOf(one, answer.made_by)));
  const beams = answer.beams ?? [];
  byId("tree-section").hidden = !beams.length;
  const titles = new Map(answer.items.map((one) => [one.item, one.title]));
  byId("tree").replaceChildren(branches(treeOf(beams), Math.max(...beams.map((beam) => beam.score)), titles));
}

function itemOf(one, madeBy) {
  const score = madeBy === "cold" ? `chosen ${one.score} times` : `score ${one.score.toFixed(3)}, ${one.how}`;
  const parts = [
    element("span", one.title, { class: "title" }), " ", element("code", one.identifier), " ", element("span", score, { class: "score" }),
  ];
  const near = one.why?.near ?? [];
  if (near.length) {
    const said = near.map((other) => `${other.title} (${reason(other)})`);
    parts.push(element("p", `Nearest chosen: ${said.join("; ")}`, { class: "near" }));
  }
  const fields = element("dl");
  fields.append(element("dt", "id"), element("dd", one.item));
  for (const [name, value] of Object.entries(one.fields)) {
    fields.append(element("dt", name), element("dd", typeof value === "string" ? value : JSON.stringify(value)));
  }
  parts.push(element("details", "", {}, element("summary", "Fields", { "aria-label": `Fields of ${one.title}` }), fields));
  return element("li", "", {}, ...parts);
}

function reason({ both, alike }) {
  if (!both) return `their identifiers begin with ${alike} equal ${alike === 1 ? "token" : "tokens"}`;
  return both === 1 ? "1 user had both" : `${both} users had both`;
}

// Beams as a tree: what begins alike stands together.

function treeOf(beams) {
  const root = { children: new Map(), best: -Infinity, count: 0, beam: null };
  for (const beam of beams) {
    let node = root;
    for (const token of beam.tokens) {
      if (!node.children.has(token)) node.children.set(token, { children: new Map(), best: -Infinity, count: 0, beam: null });
      node = node.children.get(token);
      node.best = Math.max(node.best, beam.score);
      node.count += 1;
    }
    node.beam = beam;
  }
  return root;
}

function branches(node, highest, titles) {
  const sorted = [...node.children].sort(([, a], [, b]) => b.best - a.best);
  return element("ul", "", {}, ...sorted.map(([token, child], place) => branch(token, child, highest, titles, place === 0)));
}

function branch(token, node, highest, titles, first) {
  const bar = element("span", "", { class: "bar" });
  bar.style.width = `${(4 * Math.exp(node.best - highest)).toFixed(2)}rem`;
  const label = [element("span", "", { class: "track", "aria-hidden": "true" }, bar), element("code", token), ` ${node.best.toFixed(2)}`];
  if (node.beam) label.push(` → ${node.beam.items.map((item) => titles.get(item) ?? item).join(", ") || "no item"}`);
  if (!node.children.size) return element("li", "", {}, ...label);
  label.push(` (${node.count} ${node.count === 1 ? "beam" : "beams"})`);
  const inner = element("details", "", first ? { open: "" } : {}, element("summary", "", {}, ...label), branches(node, highest, titles));
  return element("li", "", {}, inner);
}

byId("token").addEventListener("change", showServed);
showHistory();
showServed();
