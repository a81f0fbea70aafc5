// Writes times as the clock of the person shows them. Without it they are in UTC, and say so.
// In the page's language, as the person's country writes it; a moment of today without its day.
const language = document.documentElement.lang;
const locale = navigator.languages.find((each) => each.startsWith(language)) ?? language;
const day = { day: "numeric", month: "short", year: "numeric" };
const clock = { hour: "2-digit", minute: "2-digit" };

for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    const isToday = moment.toDateString() === new Date().toDateString();
    const options = time.dataset.local === "date" ? day : isToday ? clock : { ...day, ...clock };
    time.textContent = new Intl.DateTimeFormat(locale, options).format(moment);
  }
}
