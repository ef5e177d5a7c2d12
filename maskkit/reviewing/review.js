// The page of `maskkit review`: one person a screen, one key a label. Texts of files are only ever put into the
// page as text. Keys are acted on one after the other, so that none is lost to a slow disk.
"use strict";
(async () => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, className, text) => Object.assign(document.createElement(tag), {className, textContent: text ?? ""});
  const AHEAD = 3; // screens whose photos are fetched before they are wanted

  // Where decisions go: to the server that saves each, or to this page, which saves them by a download.
  function served() {
    const post = (where, data) =>
      fetch(where, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(data)});
    return {
      desk: async () => (await fetch("desk.json")).json(),
      photo: (row, size) => `photo/${row}/${size}`,
      decide: async (question, value, seen) => {
        const answer = await post("decision", {question, value, seen});
        const found = await answer.json();
        if (found.error) throw new Error(found.error);
        return {...found, conflict: answer.status === 409};
      },
      changes: async (seen) => (await fetch(`changes/${seen}`)).json(),
      finish: async () => {
        await post("end", {});
        $("actions").hidden = true;
        say(`Finished: ${desk.saved_as} is written, and this window can be closed.`);
      },
    };
  }

  function lone(data) {
    const kept = `maskkit-review-${data.key}`;
    let isSaved = true;
    const storage = (act) => { try { return act(localStorage); } catch { return null; } }; // some browsers have none here
    Object.assign(data.decided, JSON.parse(storage((at) => at.getItem(kept)) ?? "{}"));
    $("finish").textContent = `Save ${data.saved_as}`;
    addEventListener("beforeunload", (event) => { if (!isSaved) event.preventDefault(); });
    return {
      desk: async () => data,
      photo: (row) => data.pictures[row] ?? "",
      decide: async (question, value) => {
        const values = Object.fromEntries(decided);
        if (value === null) delete values[question]; else values[question] = value;
        storage((at) => at.setItem(kept, JSON.stringify(values)));
        isSaved = false;
        return {revision: 0, decided: {[question]: value}};
      },
      changes: async () => ({revision: 0, decided: {}}),
      finish: async () => {
        const link = make("a");
        link.href = URL.createObjectURL(new Blob([csv()], {type: "text/csv"}));
        link.download = data.saved_as;
        link.click();
        URL.revokeObjectURL(link.href);
        isSaved = true;
        say(`${data.saved_as} is in the folder of your downloads.`);
      },
    };
  }

  const embedded = $("desk");
  const store = embedded ? lone(JSON.parse(embedded.textContent)) : served();
  let desk;
  try {
    desk = await store.desk();
  } catch {
    return say("This review is not running any more. Start it again with --resume, and open its new address.", true);
  }
  const {screens, questions, factors} = desk;
  const decided = new Map();
  const skipped = new Set();
  const undoable = []; // what this window has done: [question, value before]
  const screenOf = new Map(screens.flatMap((screen, number) => screen.questions.map((question) => [question, number])));
  const images = new Map(); // by row, made ahead
  let revision, at = 0;
  take(desk);

  function take(found) {
    revision = found.revision;
    for (const [question, value] of Object.entries(found.decided)) {
      if (value === null) decided.delete(+question); else decided.set(+question, value);
    }
  }

  // As `word_of` of maskkit/reviewing/decisions.py has it.
  function word(question, value) {
    if (value === question.before) return "struck";
    return [question.proposed, question.given].includes(value) ? "confirmed" : "changed";
  }

  // As `Decisions.csv` has it, so that both pages save the same bytes.
  function csv() {
    const quoted = (cell) => (/[",;\t\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
    const lines = [...decided].sort((one, other) => one[0] - other[0]).map(([number, value]) => {
      const one = questions[number];
      return [one.path, one.person, one.column, value, one.before, word(one, value), one.proposed, one.kind,
        one.confidence, one.evidence];
    });
    const text = [desk.columns, ...lines].map((row) => row.map(quoted).join(",") + "\n").join("");
    return /^[\x00-\x7f]*$/.test(text) ? text : "\ufeff" + text;
  }

  function say(text, failed = false) {
    $("status").textContent = text;
    $("status").classList.toggle("failed", failed);
  }

  // The value that a level stands for: what there is if it is in that level, and likewise what is proposed.
  function valueOf(question, level) {
    if (level === question.given_level) return question.given;
    return level === question.proposed_level ? question.proposed : factors[question.column].levels[level];
  }

  const shown = (value) => (value === "" ? "not known" : value);
  const left = () => questions.map((_, number) => number).filter((number) => !decided.has(number));
  const end = questions.length; // where `at` is once all are decided, so that one key too many decides nothing

  function nextUndecided() {
    const open = left();
    const behind = [...open.filter((number) => number > at), ...open.filter((number) => number <= at)];
    return behind.find((number) => !skipped.has(number)) ?? behind.find((number) => number !== at) ?? behind[0] ?? end;
  }

  async function decide(value) {
    if (at === end) return;
    const number = at, question = questions[number], before = decided.get(number) ?? null;
    if (!(await send(number, value))) return;
    undoable.push([number, before]);
    skipped.delete(number);
    const saved = embedded ? "" : ", saved";
    say(`${question.path || question.person}: ${question.column} is ${shown(value)}, ${word(question, value)}${saved}`);
    at = nextUndecided();
  }

  async function undo() {
    if (!undoable.length) return say("There is nothing to undo in this window; the arrows lead to every label.");
    const [number, before] = undoable.at(-1), question = questions[number];
    at = number;
    if (!(await send(number, before))) return;
    undoable.pop();
    say(`Undone: ${question.column} of ${question.path || question.person}`);
  }

  async function choose(place) {
    const question = questions[at];
    if (question && place < factors[question.column].levels.length) await decide(valueOf(question, place));
  }

  async function send(number, value) {
    try {
      const found = await store.decide(number, value, revision);
      take(found);
      if (found.conflict) say("Another window has decided this meanwhile, and that is kept. Decide again to change it.", true);
      return !found.conflict;
    } catch (error) {
      const gone = error instanceof TypeError; // what `fetch` throws if nobody answers
      say(gone ? "This decision is not saved: the review is not running any more. All before it are; start it again with --resume." : `This decision is not saved. ${error.message}`, true);
      return false;
    }
  }

  function skip() {
    if (at === end) return;
    skipped.add(at);
    say(`Skipped: it comes again at the end. ${left().length} are left.`);
    at = nextUndecided();
  }

  const move = (by) => { at = Math.min(Math.max(at + by, 0), left().length ? end - 1 : end); say(""); };

  // What keys and buttons do, one after the other.
  let last = Promise.resolve();
  function act(what, ...words) {
    last = last.then(() => what(...words)).then(render, (error) => say(String(error.message), true));
  }

  function imageOf(row) {
    if (!images.has(row)) {
      const image = new Image();
      image.src = store.photo(row, "small");
      images.set(row, image);
    }
    return images.get(row);
  }

  function figure(photo, question) {
    const isMeant = question.rows.includes(photo.row), isOfAll = question.path === "";
    const one = make("figure", isOfAll ? "" : isMeant ? "meant" : "other");
    const button = make("button"), image = imageOf(photo.row);
    const unreadable = () => button.replaceChildren(make("div", "unreadable", "The photo cannot be read."));
    image.alt = photo.path;
    image.onerror = unreadable;
    button.append(image);
    if (!image.getAttribute("src") || (image.complete && !image.naturalWidth)) unreadable();
    button.onclick = () => enlarge(photo);
    const caption = make("figcaption", "", photo.label.map(shown).join(" / "));
    caption.append(make("small", "", photo.path.split("/").at(-1)));
    one.append(button, caption);
    return one;
  }

  function enlarge(photo) {
    $("large").querySelector("img").src = store.photo(photo.row, "large");
    $("large").showModal();
  }

  function card(number) {
    const question = questions[number], value = decided.get(number);
    const one = make("article", [number === at && "now", value !== undefined && "decided"].filter(Boolean).join(" "));
    const change = make("p", "change", `${question.column}: `);
    change.append(make("span", "given", shown(question.given)), " \u2192 ", make("b", "", question.proposed), " ?");
    const about = question.path ? question.path.split("/").at(-1) : `all ${question.rows.length} photos`;
    one.append(change, make("p", "evidence", question.evidence), make("p", "meaning", [about, question.meaning].filter(Boolean).join(" \u00b7 ")));
    if (value !== undefined) one.append(make("p", `outcome ${word(question, value)}`, `${word(question, value)}: ${shown(value)}`));
    one.onclick = () => { if (number !== at) act(() => { at = number; }); };
    return one;
  }

  function render() {
    document.title = `${decided.size} of ${questions.length} \u2013 maskkit review`;
    $("title").textContent = `Review of ${desk.manifest}`;
    $("progress").max = questions.length;
    $("progress").value = decided.size;
    const waiting = [...skipped].filter((number) => !decided.has(number)).length;
    $("counts").textContent = `${decided.size} of ${questions.length} decided` + (waiting ? `, ${waiting} skipped` : "");
    $("undo").disabled = !undoable.length;
    $("screen").hidden = $("choices").hidden = $("skip").hidden = at === end;
    $("done").hidden = at !== end;
    if (at === end) renderEnd(); else renderScreen(questions[at], screenOf.get(at));
  }

  function renderScreen(question, number) {
    const screen = screens[number], factor = factors[question.column];
    $("whose").textContent = question.person ? `Person ${screen.title}` : screen.title;
    $("asked").replaceChildren(...screen.questions.map(card));
    $("photos").replaceChildren(...screen.photos.map((photo) => figure(photo, question)));
    $("confirm").lastElementChild.textContent = `Confirm ${question.proposed}`;
    $("strike").lastElementChild.textContent = `Strike, keep ${shown(question.given)}`;
    $("levels").replaceChildren(...factor.levels.map((level, place) => {
      const button = make("button");
      if (place < 9) button.append(make("kbd", "", place + 1), " ");
      button.append(level);
      button.onclick = () => act(choose, place);
      return button;
    }));
    $("number").hidden = !factor.numeric;
    $("number").querySelector("span").textContent = question.column;
    const input = $("number").querySelector("input");
    [input.min, input.max] = factor.range ?? ["", ""];
    input.value = "";
    for (const next of screens.slice(number + 1, number + 1 + AHEAD)) next.photos.forEach(({row}) => imageOf(row));
  }

  function renderEnd() {
    const words = [...decided].map(([number, value]) => word(questions[number], value));
    const count = (name) => words.filter((one) => one === name).length;
    $("outcome").textContent = `${count("confirmed")} confirmed, ${count("changed")} changed, ${count("struck")} struck. ${embedded ? "Save them with the button above." : `They are in ${desk.saved_as}; Finish, above, ends the command.`}`;
    $("next").textContent = `maskkit label ${desk.labelled_from} --corrections ${desk.saved_as} -o corrected.parquet`;
  }

  const keys = {
    c: () => act(() => decide(questions[at]?.proposed)),
    x: () => act(() => decide(questions[at]?.given)),
    s: () => act(skip),
    u: () => act(undo),
    n: () => { if (!$("number").hidden && at !== end) $("number").querySelector("input").focus(); },
    arrowleft: () => act(move, -1),
    arrowright: () => act(move, 1),
  };
  $("confirm").onclick = keys.c;
  $("strike").onclick = keys.x;
  $("skip").onclick = keys.s;
  $("undo").onclick = keys.u;
  $("back").onclick = keys.arrowleft;
  $("forward").onclick = keys.arrowright;
  $("finish").onclick = () => act(store.finish);
  $("large").onclick = () => $("large").close();
  $("number").onsubmit = (event) => {
    event.preventDefault();
    const text = $("number").querySelector("input").value;
    if (text !== "") act(() => decide(String(Number(text))));
    document.activeElement.blur();
  };

  addEventListener("keydown", (event) => {
    const inField = event.target instanceof HTMLInputElement;
    if (inField && event.key === "Escape") event.target.blur();
    // A key that is held down would decide on what nobody has seen.
    if (inField || event.repeat || $("large").open) return;
    // With Hangul or another script switched on, the key is known by its place.
    const typed = /^[\x21-\x7e]$|^Arrow/.test(event.key) ? event.key : event.code.replace(/^(Key|Digit)/, "");
    const key = typed.toLowerCase();
    if (event.altKey || ((event.ctrlKey || event.metaKey) && key !== "z")) return;
    if (key === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      keys.u();
    } else if (/^[1-9]$/.test(key)) {
      act(choose, key - 1);
    } else if (Object.hasOwn(keys, key)) {
      event.preventDefault();
      keys[key]();
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) act(async () => { try { take(await store.changes(revision)); } catch { /* said when something is decided */ } });
  });
  at = left()[0] ?? end;
  render();
})();
