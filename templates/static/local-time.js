// Writes times as the clock of the person shows them. Without it they are in UTC, and say so.
// In the page's language, as the person's country writes it.
const language = document.documentElement.lang;
const locale = navigator.languages.find((each) => each.startsWith(language)) ?? language;
for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    const options = { day: "numeric", month: "short", year: "numeric" };
    if (time.dataset.local === "moment") {
      Object.assign(options, { hour: "numeric", minute: "2-digit" });
    }
    time.textContent = new Intl.DateTimeFormat(locale, options).format(moment);
  }
}
