// What a page does beyond showing: it sorts and filters rows, puts those of a person together, shows values where the
// reader points, opens the photos behind a cell, and enlarges photos. It acts on what data- attributes declare, knows
// no report, and makes elements of text alone, never of HTML.
"use strict";
(() => {
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...inside) => {
    const one = Object.assign(document.createElement(tag), properties);
    one.append(...inside);
    return one;
  };
  const button = (text, act, properties = {}) =>
    make("button", { type: "button", textContent: text, onclick: act, ...properties });
  const declared = (one, name) => JSON.parse(one.dataset[name] ?? "[]");

  // Rows as records: a row with the photos below it, or a card. Headings and sums divide them, and stay where they are.
  const parts = container => {
    const found = [[]];
    for (const one of container.children) {
      if (one.matches(".group, .foot")) found.push(one, []);
      else if (one.matches(".pictures")) found.at(-1).at(-1).push(one);
      else found.at(-1).push([one]);
    }
    return found;
  };
  const runs = container => parts(container).filter(Array.isArray);
  const records = container => runs(container).flat();

  // Sorting: by the number that a cell declares, or else by its text; undefined values come last either way.
  const collator = new Intl.Collator(undefined, { numeric: true });
  const valueOf = (record, at) => {
    const cell = record[0].cells[at];
    return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
  };
  const compared = (at, sign) => (one, other) => {
    const [first, second] = [valueOf(one, at), valueOf(other, at)];
    const kinds = (typeof first === "string") - (typeof second === "string");
    if (kinds) return kinds;
    return sign * (typeof first === "string" ? collator.compare(first, second) : first - second);
  };
  const sorted = (body, at, direction, order) => {
    for (const part of parts(body)) {
      if (Array.isArray(part)) {
        part.sort((one, other) => order.get(one[0]) - order.get(other[0]));
        if (direction) part.sort(compared(at, direction));
      }
      body.append(...(Array.isArray(part) ? part.flat() : [part]));
    }
  };
  const sortable = table => {
    const [body] = table.tBodies;
    if (!runs(body).some(run => run.length > 1)) return;
    const order = new Map(records(body).map(([row], place) => [row, place]));
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, at) => {
      const text = [...head.childNodes].find(one => one.nodeType === Node.TEXT_NODE && one.data.trim());
      if (!text) return;
      const directions = head.matches(".left") ? [1, -1, 0] : [-1, 1, 0];
      text.replaceWith(button(text.data.trim(), () => {
        const next = (Number(head.dataset.turn ?? -1) + 1) % 3;
        for (const one of heads) { delete one.dataset.turn; one.removeAttribute("aria-sort"); }
        head.dataset.turn = next;
        const direction = directions[next];
        if (direction) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        sorted(body, at, direction, order);
      }, { className: "sort" }));
    });
  };

  // Filters and groups: words that a row has to hold, values to choose among, and a value to put rows together by.
  const heading = (container, value, count, title) => {
    const text = `${title} ${value || "not known"}: ${count}`;
    if (container.tagName !== "TBODY") return make("h4", { className: "group together", textContent: text });
    const span = container.closest("table").tHead.rows[0].cells.length;
    return make("tr", { className: "group together" }, make("th", { colSpan: span, textContent: text }));
  };
  const together = (container, found, column) => {
    for (const one of all(".together", container)) one.remove();
    if (!column) { container.append(...found.flat()); return; }
    const groups = new Map();
    for (const record of found) {
      const value = record[0].dataset[`k${column[0]}`] ?? "";
      groups.set(value, [...groups.get(value) ?? [], record]);
    }
    const largest = [...groups].sort(([, one], [, other]) => other.length - one.length);
    for (const [value, own] of largest) container.append(heading(container, value, own.length, column[1]), ...own.flat());
  };
  const tools = container => {
    const found = records(container), texts = new Map(), wanted = new Map();
    const bar = make("div", { className: "tools" }), count = make("span", { role: "status" });
    let words = "";
    const update = () => {
      let shown = 0;
      for (const record of found) {
        const keys = record[0].dataset;
        const fits = words.split(/\s+/).every(word => texts.get(record).includes(word))
          && [...wanted].every(([at, value]) => !value || keys[`k${at}`] === value);
        for (const one of record) one.hidden = !fits;
        shown += fits;
      }
      count.textContent = shown < found.length ? `${shown} of ${found.length}` : "";
    };
    for (const record of found) {
      const titles = record.flatMap(one => all("img", one).map(image => image.title));
      texts.set(record, [...record.map(one => one.textContent), ...titles].join(" ").toLowerCase());
    }
    if (container.hasAttribute("data-long")) {
      const box = make("input", { type: "search", placeholder: "filter", oninput: () => {
        words = box.value.trim().toLowerCase();
        update();
      } });
      box.setAttribute("aria-label", "filter these rows");
      bar.append(box);
    }
    for (const [at, title] of declared(container, "choices")) {
      const values = [...new Set(found.map(([one]) => one.dataset[`k${at}`]))].filter(Boolean).sort(collator.compare);
      if (values.length < 2) continue;
      const choice = make("select", { onchange: () => { wanted.set(at, choice.value); update(); } },
        new Option(`any ${title}`, ""), ...values.map(value => new Option(value, value)));
      choice.setAttribute("aria-label", title);
      bar.append(choice);
    }
    for (const column of declared(container, "shared")) {
      const toggle = button(`group by ${column[1]}`, () => {
        const pressed = toggle.getAttribute("aria-pressed") !== "true";
        toggle.setAttribute("aria-pressed", pressed);
        together(container, found, pressed && column);
      });
      toggle.setAttribute("aria-pressed", false);
      const values = found.map(([one]) => one.dataset[`k${column[0]}`]).filter(Boolean);
      if (new Set(values).size < values.length) bar.append(toggle);  // or there is nobody with several
    }
    if (!bar.children.length) return;
    bar.append(count);
    (container.closest(".scroll") ?? container).before(bar);
  };

  // Photos: those behind a cell in a sheet, and any of them enlarged with what is said of it.
  const dialog = name => {
    const one = make("dialog", { className: name });
    one.addEventListener("click", event => { if (event.target === one) one.close(); });  // beside it
    document.body.append(one);
    return one;
  };
  const sheet = dialog("behind"), large = dialog("large");
  const topped = (one, title) => make("header", {}, make("h2", { textContent: title }),
    button("close", () => one.close()));
  const open = link => {
    const cards = make("div", { className: "cards small rows" });
    for (const number of link.dataset.rows.split(" ")) {
      const copy = document.getElementById(`photo-${number}`).cloneNode(true);
      copy.removeAttribute("id");
      cards.append(copy);
    }
    const { few, choices, shared } = document.querySelector(".album").dataset;
    Object.assign(cards.dataset, { choices, shared, ...cards.children.length > few ? { long: "" } : {} });
    sheet.replaceChildren(topped(sheet, link.dataset.title), cards);
    tools(cards);
    sheet.showModal();
  };
  const enlarge = (images, place) => {
    const image = images[place], card = image.closest(".card");
    const turn = step => enlarge(images, (place + step + images.length) % images.length);
    const said = card ? all("figcaption, dl", card).map(one => one.cloneNode(true)) : [];
    const label = image.parentElement.querySelector("small")?.textContent;
    if (label) said.unshift(make("p", { textContent: label }));
    if (!card) said.push(make("p", { textContent: image.title }));
    const next = images.length > 1
      ? [button("\u2039", () => turn(-1), { ariaLabel: "previous photo" }), button("\u203a", () => turn(1), { ariaLabel: "next photo" })] : [];
    large.onkeydown = event => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step && images.length > 1) turn(step);
    };
    const focused = all("button", large).indexOf(document.activeElement);
    large.replaceChildren(topped(large, `${place + 1} of ${images.length}`),
      make("div", { className: "one" }, make("img", { src: image.src, alt: image.alt }), make("div", {}, ...said)),
      make("nav", {}, ...next));
    if (!large.open) large.showModal();
    all("button", large)[Math.max(0, focused)].focus();  // or keys would go to the page
  };
  const enlarged = image => {
    const around = image.closest(".cards, .sheet") ?? image.parentElement;
    const images = all("img", around).filter(one => one.getClientRects().length);
    enlarge(images, images.indexOf(image));
  };

  // Values where the reader points: what the page has as titles, at once, and for fingers too.
  const tip = make("div", { className: "tip", hidden: true });
  tip.setAttribute("role", "tooltip");
  const say = event => {
    const one = event.target.closest?.("[data-says]");
    tip.hidden = !one;
    if (!one) return;
    (one.closest("dialog") ?? document.body).append(tip);
    tip.textContent = one.dataset.says;
    const beyond = event.clientX + tip.offsetWidth + 16 > innerWidth;
    tip.style.left = `${Math.max(4, beyond ? event.clientX - tip.offsetWidth - 12 : event.clientX + 12)}px`;
    tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 12)}px`;
  };

  for (const one of all("svg title")) {
    one.parentElement.dataset.says = one.textContent;
    one.remove();
  }
  for (const one of all("td[title]")) {
    one.dataset.says = one.title;
    one.removeAttribute("title");
  }
  all("table:not(.heat)").forEach(sortable);
  all(".rows").forEach(tools);
  for (const image of all("main img")) Object.assign(image, { tabIndex: 0, role: "button" });
  document.addEventListener("pointermove", event => { if (event.pointerType === "mouse") say(event); });
  document.addEventListener("click", event => {
    say(event);
    const link = event.target.closest("a.opens"), image = event.target.closest("main img, .behind img");
    if (link) { event.preventDefault(); open(link); } else if (image) enlarged(image);
  });
  document.addEventListener("keydown", event => {
    if (event.key === "Enter" && event.target.matches("main img, .behind img")) enlarged(event.target);
  });
})();
