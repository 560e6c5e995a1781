// A classic script, so that it runs before the first paint: the page never flashes in the other theme.
{
  const chosen = localStorage.getItem("stylefarm-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
