// Passkeys: shows the forms that need this script, asks the browser for a passkey, and sends the
// form with the answer. Without it, and in browsers without passkeys, the rest of the page works.

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const withBytes = (list) => list?.map((each) => ({ ...each, id: toBytes(each.id) }));

function optionsOf(form) {
  const options = JSON.parse(form.dataset.options);
  options.challenge = toBytes(options.challenge);
  if (options.user) options.user.id = toBytes(options.user.id);
  if (options.allowCredentials) options.allowCredentials = withBytes(options.allowCredentials);
  if (options.excludeCredentials) options.excludeCredentials = withBytes(options.excludeCredentials);
  return options;
}

function jsonOf(credential) {
  const { response } = credential;
  const answer = { clientDataJSON: toText(response.clientDataJSON) };
  if (response.attestationObject) {
    answer.attestationObject = toText(response.attestationObject);
    answer.transports = response.getTransports?.() ?? [];
  } else {
    answer.authenticatorData = toText(response.authenticatorData);
    answer.signature = toText(response.signature);
    if (response.userHandle) answer.userHandle = toText(response.userHandle);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    response: answer,
  });
}

function send(form, credential) {
  form.elements.namedItem("credential").value = jsonOf(credential);
  form.submit();
}

let waiting = null;

// The passkeys that a browser offers in the field for the user name, while the page is open.
async function offerInField(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  waiting = new AbortController();
  try {
    const publicKey = optionsOf(form);
    send(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal: waiting.signal }));
  } catch {
    // The button was pressed, or the person types the password.
  }
}

async function ask(form) {
  const failed = form.querySelector("[data-failed]");
  const button = form.querySelector("button");
  waiting?.abort();
  failed.textContent = "";
  button.disabled = true;
  try {
    const publicKey = optionsOf(form);
    const isNew = form.dataset.passkey === "create";
    const credentials = navigator.credentials;
    send(form, await (isNew ? credentials.create({ publicKey }) : credentials.get({ publicKey })));
  } catch {
    failed.textContent = failed.dataset.failed;
    button.disabled = false;
    button.focus();
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(form);
    });
    if (form.dataset.passkey === "sign-in") offerInField(form);
  }
  for (const note of document.querySelectorAll("[data-without-passkeys]")) note.remove();
}
