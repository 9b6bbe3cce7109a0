// Runs before anything is drawn, so that the page never flashes in the other theme.
"use strict";
{
  const root = document.documentElement;
  const stored = localStorage.getItem("rerankd-theme");
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;
}
