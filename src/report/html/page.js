"use strict";
(() => {
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const number = new Intl.NumberFormat("en");

  // What is chosen stands in the page's address after the #, so that a link leads to the same rows: "unsealed.find=orders".
  const chosen = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const choose = (key, member, value) => {
    const all = chosen();
    if (value) all.set(`${key}.${member}`, value); else all.delete(`${key}.${member}`);
    history.replaceState(null, "", all.size ? `#${all}` : location.pathname + location.search);
  };

  const enliven = (controls) => {
    const key = controls.dataset.list;
    const table = document.getElementById(key);
    const heads = [...table.tHead.rows[0].cells];
    const groups = [...table.tBodies].map((body) => ({
      body,
      head: body.querySelector(".group"),
      rows: [...body.rows].filter((row) => !row.matches(".group")).map((row, place) => ({
        row,
        place,
        text: `${row.textContent} ${body.querySelector(".group")?.textContent ?? ""}`.toLocaleLowerCase(),
        keys: [...row.cells].map((cell) => cell.dataset.sort ?? cell.textContent),
      })),
    }));
    const all = groups.reduce((sum, { rows }) => sum + rows.length, 0);
    const find = controls.querySelector("input");
    const sort = controls.querySelector(".order");
    const shown = controls.nextElementSibling;
    const filters = [...controls.querySelectorAll("[data-filter]")];

    const filter = () => {
      const words = find.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const { body, rows } of groups) {
        let any = false;
        for (const { row, text } of rows) {
          const fits = filters.every(({ value, dataset }) => !value || row.dataset[dataset.filter] === value);
          row.hidden = !(fits && words.every((word) => text.includes(word)));
          if (!row.hidden) { any = true; count += 1; }
        }
        body.hidden = !any;
      }
      const named = filters.filter(({ value }) => value).map((choice) => choice.selectedOptions[0].text);
      if (words.length) named.push(`“${find.value.trim()}”`);
      shown.classList.toggle("filtered", named.length > 0);
      shown.textContent = named.length
        ? `${number.format(count)} of ${number.format(all)} ${shown.dataset.noun}, filtered by ${named.join(", ")}`
        : `${number.format(all)} ${shown.dataset.noun}`;
    };

    // What has no value stands last, whichever way is up. A group stays together.
    const by = (column, direction) => ({ keys: one }, { keys: other }) =>
      !one[column] - !other[column] || direction * order.compare(one[column], other[column]);
    const arrange = (way) => {
      const [column, direction] = way ? [Math.abs(way) - 1, Math.sign(way)] : [];
      for (const { body, rows } of groups) {
        rows.sort(way ? by(column, direction) : (one, other) => one.place - other.place);
        body.append(...rows.map(({ row }) => row));
      }
      heads.forEach((head, index) => head.setAttribute("aria-sort",
        index !== column ? "none" : direction > 0 ? "ascending" : "descending"));
      sort.value = way ? String(column) : "";
    };
    const arranged = (way) => { arrange(way); choose(key, "sort", way); };

    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.dataset.label = head.textContent;
      button.addEventListener("click", () =>
        arranged(head.getAttribute("aria-sort") === "ascending" ? -(column + 1) : column + 1));
      head.replaceChildren(button);
    });
    sort.addEventListener("change", () => arranged(sort.value === "" ? 0 : Number(sort.value) + 1));
    find.addEventListener("input", () => { filter(); choose(key, "find", find.value.trim()); });
    filters.forEach((choice) => choice.addEventListener("change", () => {
      filter();
      choose(key, choice.dataset.filter, choice.value);
    }));
    controls.querySelector("button").addEventListener("click", () => {
      [find, ...filters].forEach((one) => { one.value = ""; });
      ["find", ...filters.map(({ dataset }) => dataset.filter)].forEach((member) => choose(key, member, ""));
      filter();
      find.focus();
    });

    // As the address says. A value that the list does not have chooses nothing.
    const read = () => {
      const wanted = chosen();
      const of = (member) => wanted.get(`${key}.${member}`) ?? "";
      find.value = of("find");
      filters.forEach((choice) => {
        choice.value = of(choice.dataset.filter);
        if (choice.selectedIndex < 0) choice.value = "";
      });
      const way = Number(of("sort"));
      arrange(Number.isInteger(way) && Math.abs(way) <= heads.length ? way : 0);
      filter();
    };
    addEventListener("hashchange", read);
    read();
    controls.hidden = false;
  };
  document.querySelectorAll("[data-list]").forEach(enliven);

  // The ID with a button that copies it.
  document.querySelectorAll(".id").forEach((details) => {
    const id = details.querySelector("code");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the ${details.querySelector("summary").textContent}`);
    const said = document.createElement("span");
    said.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      const range = document.createRange();
      range.selectNodeContents(id);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      // Without a right to the clipboard, the selected text can be copied by key.
      try { await navigator.clipboard.writeText(id.textContent); said.textContent = "Copied"; }
      catch { said.textContent = "Selected: press Ctrl+C or ⌘C"; }
    });
    details.append(button, said);
  });
})();
