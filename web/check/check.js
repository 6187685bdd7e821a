"use strict";
// Verifies a receipt in this browser, with WebCrypto alone: the form of the
// file, the way from the entry to the root (RFC 6962), the signatures under the
// checkpoint (c2sp.org/signed-note, tlog-cosignature) and changes of keys. It
// asks no server for anything.
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  const given = JSON.parse(document.getElementById("receipt").textContent);
  const utf8 = new TextEncoder();

  // fault ends a check; part names what does not fit.
  const fault = (part) => { throw Object.assign(new Error(part), { part }); };
  const bytesOf = (part, text) => {
    let raw;
    try { raw = atob(text); } catch { fault(part); }
    if (btoa(raw) !== text) fault(part); // one form alone
    return Uint8Array.from(raw, (c) => c.charCodeAt(0));
  };
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const p of parts) { out.set(p, at); at += p.length; }
    return out;
  };
  const same = (a, b) => a.length === b.length && a.every((v, i) => v === b[i]);
  const sha256 = async (b) => new Uint8Array(await crypto.subtle.digest("SHA-256", b));
  const leafHash = (b) => sha256(join([0], b));
  const nodeHash = (l, r) => sha256(join([1], l, r));
  const whole = (n) => Number.isSafeInteger(n) && n >= 0;

  // The file has one form alone, so that no byte of it can change unnoticed.
  const parse = (text) => {
    let r;
    try { r = JSON.parse(text); } catch { fault("receipt"); }
    if (r === null || typeof r !== "object" || Array.isArray(r)) fault("receipt");
    if (r.mianmi_receipt !== 1) fault("mianmi_receipt");
    const list = (v) => Array.isArray(v) && v.length > 0 ? v : undefined;
    const again = {
      mianmi_receipt: r.mianmi_receipt, record: r.record || undefined, record_index: r.record_index || undefined, record_proof: list(r.record_proof),
      entry: r.entry, index: r.index, proof: r.proof, checkpoint: r.checkpoint, key: r.key, key_changes: list(r.key_changes), witness_keys: list(r.witness_keys),
    };
    const form = JSON.stringify(again, null, 2).replace(/[\u2028\u2029]/g, (c) => "\\u" + c.charCodeAt(0).toString(16)) + "\n";
    if (form !== text) fault("receipt");
    if (typeof r.entry !== "string" || typeof r.checkpoint !== "string" || typeof r.key !== "string" || !whole(r.index)) fault("receipt");
    return r;
  };

  // A verifier key: name, hash of name and key, algorithm and key in base64.
  const parseKey = async (part, text, algorithm) => {
    const [name, hash, ...rest] = String(text).split("+");
    const raw = bytesOf(part, rest.join("+"));
    const id = (await sha256(join(utf8.encode(name + "\n"), raw))).slice(0, 4);
    const hex = Array.from(id, (b) => b.toString(16).padStart(2, "0")).join("");
    if (!name || /[\s+]/.test(name) || raw.length !== 33 || raw[0] !== algorithm || hash !== hex) fault(part);
    const key = await crypto.subtle.importKey("raw", raw.slice(1), { name: "Ed25519" }, false, ["verify"]);
    return { name, id, key, algorithm, text };
  };

  // A note: text, an empty line, one line for each signature, all of them good.
  const openNote = async (part, note, keys) => {
    const split = note.lastIndexOf("\n\n");
    if (split < 0 || !note.endsWith("\n")) fault(part);
    const text = note.slice(0, split + 1), used = new Map();
    for (const line of note.slice(split + 2, -1).split("\n")) {
      const m = /^\u2014 (\S+) (\S+)$/.exec(line);
      if (!m) fault(part);
      const sig = bytesOf(part, m[2]);
      const k = keys.find((k) => k.name === m[1] && same(k.id, sig.slice(0, 4)));
      if (!k || used.has(k)) fault(part);
      let signed = utf8.encode(text), body = sig.slice(4), at;
      if (k.algorithm === 4) {
        if (body.length !== 72) fault(part);
        at = Number(new DataView(body.buffer).getBigUint64(0));
        signed = join(utf8.encode("cosignature/v1\ntime " + at + "\n"), signed);
        body = body.slice(8);
      }
      if (body.length !== 64 || !(await crypto.subtle.verify("Ed25519", k.key, body, signed))) fault(part);
      used.set(k, at);
    }
    return { text, used };
  };

  // The way from a leaf to a root (RFC 9162, section 2.1.3.2).
  const climb = async (part, leaf, index, size, proof, root) => {
    if (!Array.isArray(proof ?? [])) fault(part);
    let at = index, last = size - 1, h = leaf;
    for (const text of proof ?? []) {
      const p = bytesOf(part, text);
      if (p.length !== 32 || last === 0) fault(part);
      if (at % 2 === 1 || at === last) {
        h = await nodeHash(p, h);
        while (at % 2 === 0 && at !== 0) { at = Math.floor(at / 2); last = Math.floor(last / 2); }
      } else {
        h = await nodeHash(h, p);
      }
      at = Math.floor(at / 2); last = Math.floor(last / 2);
    }
    if (last !== 0 || !same(h, root)) fault(part);
  };

  const checkpointOf = (text) => {
    const m = /^([^\n]+)\n(0|[1-9]\d*)\n([A-Za-z0-9+/=]{44})\n$/.exec(text);
    if (!m || !whole(Number(m[2]))) fault("checkpoint");
    const root = bytesOf("checkpoint", m[3]);
    if (root.length !== 32) fault("checkpoint");
    return { origin: m[1], size: Number(m[2]), root };
  };

  // Each key handed over to the next by a statement that both signed.
  const follow = async (r, origin) => {
    let last = "", first = r.key;
    for (const [i, s] of (r.key_changes ?? []).entries()) {
      const lines = s.split("\n\n")[0].split("\n");
      if (lines.length !== 5 || lines[0] !== "mianmi log key change v1" || lines[1] !== origin || i > 0 && lines[3] !== last) fault("key_changes");
      const keys = [await parseKey("key_changes", lines[3], 1), await parseKey("key_changes", lines[4], 1)];
      const n = await openNote("key_changes", s, keys);
      if (n.used.size !== 2 || keys.some((k) => k.name !== origin)) fault("key_changes");
      if (i === 0) first = lines[3];
      last = lines[4];
    }
    if (last && last !== r.key) fault("key_changes");
    return first;
  };

  const verify = async (text) => {
    const r = parse(text);
    const own = await parseKey("key", r.key, 1);
    const witnesses = [];
    for (const k of r.witness_keys ?? []) witnesses.push(await parseKey("witness_keys", k, 4));
    const note = await openNote("checkpoint", r.checkpoint, [own, ...witnesses]);
    const c = checkpointOf(note.text);
    if (!note.used.has(own) || own.name !== c.origin) fault("checkpoint");
    if (witnesses.some((w) => !note.used.has(w))) fault("witness_keys");
    const first = await follow(r, c.origin);
    if (r.index >= c.size) fault("index");
    const entry = utf8.encode(r.entry);
    await climb("proof", await leafHash(entry), r.index, c.size, r.proof, c.root);
    const e = JSON.parse(r.entry);
    if (e.v !== 1 || !e.type || !e.id) fault("entry");
    let leaf = await leafHash(entry), record;
    if (e.type === "batch") {
      if (!r.record) fault("record");
      leaf = await leafHash(utf8.encode(r.record));
      if (!whole(e.body.count) || (r.record_index ?? 0) >= e.body.count) fault("record_index");
      await climb("record_proof", leaf, r.record_index ?? 0, e.body.count, r.record_proof, bytesOf("entry", e.body.root));
      record = JSON.parse(r.record);
    } else if (r.record !== undefined || r.record_index !== undefined || r.record_proof !== undefined) {
      fault("record");
    }
    return { r, c, e, record, leaf, first, cosigned: witnesses.map((w) => ({ name: w.name, at: note.used.get(w) })) };
  };

  // What is shown.
  const fill = (t, mark, v) => t.split(mark).join(v);
  const subject = (s) => {
    if (words.wide[s] !== undefined) return words.wide[s];
    for (const [prefix, form] of words.subjects) {
      if (s.startsWith(prefix)) return fill(form, "{id}", prefix.endsWith(":") ? s.slice(prefix.length) : s);
    }
    return "\u201c" + s + "\u201d";
  };
  const actor = (a) => {
    const at = a.indexOf(":"), form = words.roles[a.slice(0, at)];
    return form ? fill(form, "{id}", a.slice(at + 1)) : a + (words.lang === "zh" ? " " : "");
  };
  const sentence = (kind, who, what) => {
    let t = fill(fill(words.sentences[kind] ?? words.unknown, "{who}", actor(who)), "{what}", subject(what));
    if (words.lang === "zh") return t.trim().replace(/ {2}/g, " ").replace(/ ([，：）。])/g, "$1") + "。";
    return t[0].toUpperCase() + t.slice(1) + ".";
  };
  const when = (t) => new Date(t).toLocaleString(words.lang === "zh" ? "zh-CN" : "en-GB", { timeZone: "Asia/Shanghai", dateStyle: "long", timeStyle: "medium" }) + words.zone;

  const card = document.getElementById("verdict");
  const line = (tag, text, name) => {
    const n = document.createElement(tag);
    n.textContent = text;
    if (name) n.className = name;
    return n;
  };
  const show = (good, ...nodes) => {
    card.className = good ? "card good" : "card bad";
    card.replaceChildren(line("h2", good ? words.good : words.bad), ...nodes);
    card.dataset.verdict = good ? "good" : "bad";
    card.hidden = false;
    card.scrollIntoView({ block: "nearest" });
  };
  const facts = (rows) => {
    const dl = document.createElement("dl");
    for (const [k, v] of rows) dl.append(line("dt", k), line("dd", v));
    return dl;
  };
  const showProved = (p) => {
    const d = p.record ?? p.e, kind = p.record ? p.e.body.kind : p.e.type;
    const what = p.record ? p.record.payment ?? "" : p.e.subject ?? "";
    const rows = [[words.l.log, p.c.origin], [words.l.place, fill(fill(words.l.of, "{n}", String(p.r.index)), "{size}", String(p.c.size))], [words.l.entry, p.e.id], [words.l.key, p.r.key]];
    for (const w of p.cosigned) rows.push([words.l.witness, w.name + ", " + when(w.at * 1000)]);
    const trusted = words.keys.includes(p.r.key) || words.keys.includes(p.first);
    const raw = document.createElement("details");
    raw.append(line("summary", words.l.data), line("pre", JSON.stringify(p.record ?? p.e.body, null, 2)));
    show(true, line("p", sentence(kind, d.actor ?? "", what), "said"), line("p", when(d.at), "when"), facts(rows),
      line("p", trusted ? words.published : words.unpublished, trusted ? "" : "warn"), line("p", words.proves), line("p", words.provesNot), line("p", words.here, "here"), raw);
  };
  const check = async (text) => {
    try {
      const p = await verify(text);
      const want = location.hash.slice(1);
      if (/^[0-9a-f]{32}$/.test(want) && text === given) {
        const have = Array.from(p.leaf.slice(0, 16), (b) => b.toString(16).padStart(2, "0")).join("");
        if (have !== want) fault("link");
      }
      showProved(p);
    } catch (e) {
      const part = e.part ?? "receipt";
      show(false, line("p", words.misfit + (words.parts[part] ?? part), "said"), line("p", words.here, "here"));
    }
  };

  // Ed25519 in WebCrypto is young, and there only on secure pages: without it
  // the form is sent, and the server answers.
  const able = async () => {
    try {
      await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1), { name: "Ed25519" }, false, ["verify"]);
      return true;
    } catch { return false; }
  };
  able().then((yes) => {
    document.body.dataset.able = yes;
    if (!yes) { document.getElementById("unable").hidden = false; return; }
    const form = document.getElementById("form"), file = document.getElementById("file"), text = document.getElementById("text");
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      check(file.files.length > 0 ? await file.files[0].text() : text.value);
    });
    file.addEventListener("change", async () => { if (file.files.length > 0) check(await file.files[0].text()); });
    if (given) check(given);
  });
})();
