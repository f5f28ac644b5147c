// The two views of the page: the overview, and the explorer of images.

import { find } from "./draw.js";
import { switches } from "./layers.js";
import { follow, state } from "./link.js";

const VIEWS = { overview: "overview", images: "explorer" };

export const startViews = () => {
  find("explorer-switches").replaceWith(switches());
  follow((now, before) => {
    show();
    if (now.view !== before.view) scrollTo(0, 0);
  });
  show();
};

const show = () => {
  const { view } = state();
  document.body.classList.toggle("on-images", view === "images");
  for (const [name, id] of Object.entries(VIEWS)) {
    find(id).hidden = name !== view;
    const link = find(`to-${name}`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
};
