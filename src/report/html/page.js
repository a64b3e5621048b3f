"use strict";
(() => {
  const list = document.getElementById("list");
  if (!list) return;
  const body = list.tBodies[0];
  const heads = [...list.tHead.rows[0].cells];
  const rows = [...body.rows].map((row) => ({
    row,
    text: row.textContent.toLocaleLowerCase(),
    keys: [...row.cells].map((cell) => cell.dataset.sort ?? cell.textContent),
  }));
  const find = document.getElementById("find");
  const sort = document.getElementById("sort");
  const shown = document.getElementById("shown");
  const filters = [...document.querySelectorAll("[data-filter]")];
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const number = new Intl.NumberFormat("en");

  const filter = () => {
    const words = find.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { row, text } of rows) {
      const fits = filters.every(({ value, dataset }) => !value || row.dataset[dataset.filter] === value);
      row.hidden = !(fits && words.every((word) => text.includes(word)));
      if (!row.hidden) count += 1;
    }
    const chosen = filters.filter(({ value }) => value).map((choice) => choice.selectedOptions[0].text);
    if (words.length) chosen.push(`“${find.value.trim()}”`);
    const all = number.format(rows.length);
    shown.classList.toggle("filtered", chosen.length > 0);
    shown.textContent = chosen.length
      ? `${number.format(count)} of ${all} exceptions, filtered by ${chosen.join(", ")}`
      : `${all} exceptions`;
  };

  // What has no value stands last, whichever way is up.
  const by = (column, direction) => ({ keys: one }, { keys: other }) =>
    !one[column] - !other[column] || direction * order.compare(one[column], other[column]);

  const arrange = (column, direction) => {
    rows.sort(by(column, direction));
    body.append(...rows.map(({ row }) => row));
    heads.forEach((head, index) => {
      const way = direction > 0 ? "ascending" : "descending";
      head.setAttribute("aria-sort", index === column ? way : "none");
    });
    sort.value = String(column);
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.dataset.label = head.textContent;
    button.addEventListener("click", () =>
      arrange(column, head.getAttribute("aria-sort") === "ascending" ? -1 : 1));
    head.replaceChildren(button);
    head.setAttribute("aria-sort", column === 0 ? "ascending" : "none");
  });
  sort.addEventListener("change", () => arrange(Number(sort.value), 1));
  find.addEventListener("input", filter);
  filters.forEach((choice) => choice.addEventListener("change", filter));
  document.getElementById("clear").addEventListener("click", () => {
    find.value = "";
    filters.forEach((choice) => { choice.value = ""; });
    filter();
    find.focus();
  });
  document.getElementById("controls").hidden = false;
})();
