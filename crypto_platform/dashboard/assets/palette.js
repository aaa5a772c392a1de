// Colours of the charts, from the style sheet: blue and orange, which every kind of eye tells apart.

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    up: of("up"), down: of("down"), text: of("text"), quiet: of("quiet"), line: of("line"), paper: of("paper"),
    lines: [of("up"), of("down"), of("third"), of("fourth"), of("fifth")],
  };
}
