// Writes times as the clock of the person shows them. Without it they are in UTC, and say so.
// In the page's language, as the person's country writes it; a moment of today without its day.
// Always with the digits and the calendar that the rest of the page has.
const language = document.documentElement.lang;
const base = (tag) => tag.split("-")[0];
const country = navigator.languages.find((each) => base(each) === base(language));
const locale = country ? [country, language] : language;
const common = { numberingSystem: "latn", calendar: "gregory" };
const month = base(language) === "pl" ? "long" : "short"; // only the long one is in the genitive
const day = { day: "numeric", month, year: "numeric" };
const clock = { hour: "2-digit", minute: "2-digit" };

for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    const isToday = moment.toDateString() === new Date().toDateString();
    const options = time.dataset.local === "date" ? day : isToday ? clock : { ...day, ...clock };
    time.textContent = new Intl.DateTimeFormat(locale, { ...common, ...options }).format(moment);
  }
}
