// A proof of work: finds the number whose SHA-256, behind the challenge, begins with enough bits of 0.
// Nothing is asked of another server. Without this script, the page says how long to wait.

const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n += 1) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n);
// FIPS 180-4, 4.2.2 and 5.3.3: the first 32 bits of the fractions of roots of primes.
const fraction = (root) => ((root % 1) * 2 ** 32) | 0;
const K = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

const words = new Int32Array(64);
const turn = (x, by) => (x >>> by) | (x << (32 - by));

// FIPS 180-4, 6.2.2: one block of 64 bytes.
function compress(state, block) {
  for (let t = 0; t < 16; t += 1) words[t] = block.getInt32(4 * t);
  for (let t = 16; t < 64; t += 1) {
    const x = words[t - 15];
    const y = words[t - 2];
    const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
    const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
    words[t] = (words[t - 16] + s0 + words[t - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t += 1) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[t] + words[t]) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  return Int32Array.of(a, b, c, d, e, f, g, h).map((word, i) => word + state[i]);
}

// A test of answers. The first block is the same for all of them, so it is computed once.
function makeTest(challenge, bits) {
  const text = new TextEncoder().encode(`${challenge}:`);
  const first = compress(START, new DataView(text.buffer, 0, 64));
  const rest = text.slice(64);
  const bytes = new Uint8Array(64);
  const block = new DataView(bytes.buffer);
  return (answer) => {
    bytes.fill(0);
    bytes.set(rest);
    let end = rest.length;
    for (const digit of answer) {
      bytes[end] = digit.charCodeAt(0);
      end += 1;
    }
    bytes[end] = 0x80;
    block.setUint32(60, 8 * (64 + end));
    return compress(first, block)[0] >>> (32 - bits) === 0;
  };
}

const SLICE_MS = 40;

const form = document.querySelector("form[data-challenge]");
const status = form.querySelector("[role=status]");
const button = form.querySelector("button");
const isRight = makeTest(form.dataset.challenge, Number(form.dataset.bits));

// In slices, so that the page can be read and left meanwhile.
function work(from) {
  const until = performance.now() + SLICE_MS;
  let answer = from;
  while (!isRight(String(answer))) {
    answer += 1;
    if (answer % 256 === 0 && performance.now() > until) {
      setTimeout(work, 0, answer);
      return;
    }
  }
  form.elements.namedItem("proof_answer").value = String(answer);
  status.textContent = status.dataset.done;
  button.disabled = false;
}

form.hidden = false;
status.textContent = status.dataset.working;
setTimeout(work, 0, 0);
