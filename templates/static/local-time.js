// Writes times as the clock of the person shows them. Without it they are in UTC, and say so.
for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    const options = { day: "numeric", month: "short", year: "numeric" };
    if (time.dataset.local === "moment") {
      Object.assign(options, { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
    }
    time.textContent = new Intl.DateTimeFormat(document.documentElement.lang, options).format(moment);
  }
}
