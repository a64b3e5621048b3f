// Builds elements. All values become text, never markup.

/** Creates an element with properties and children. Strings become text. */
export function element(name, properties = {}, ...children) {
  const { data, aria, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  for (const [key, value] of Object.entries(data ?? {})) made.dataset[key] = value;
  for (const [key, value] of Object.entries(aria ?? {})) made.setAttribute(`aria-${key}`, value);
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** A duration in milliseconds, as a text with a unit. */
export function human(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** Replaces the children of a place only if the state differs from the last one. Returns whether it did. */
export function redraw(place, state, children) {
  const text = JSON.stringify(state);
  if (place.dataset.state === text) return false;
  place.dataset.state = text;
  place.replaceChildren(...children());
  return true;
}
