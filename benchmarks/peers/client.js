// A PouchDB with leveldb that replicates. It prints one JSON object a line; the last is the result.
//   node client.js fill FOLDER FILE                    store the documents of FILE, one JSON object a line
//   node client.js edit FOLDER FIELD                   write another value into a field of every document
//   node client.js push|pull FOLDER URL ATTEMPTS SECONDS   replicate until it is done or these are over
const fs = require("fs");
const PouchDB = require("pouchdb");

const BATCH = 100; // PouchDB's own default
const PAUSE_MS = 100;
const [deed, folder, target, attempts, seconds] = process.argv.slice(2);
const begun = process.hrtime.bigint();
const elapsed = () => Number(process.hrtime.bigint() - begun) / 1e9;
const tell = (what) => fs.writeSync(1, JSON.stringify(what) + "\n");

async function fill(local) {
  const lines = fs.readFileSync(target, "utf8").split("\n").filter(Boolean);
  await local.bulkDocs(lines.map((line) => JSON.parse(line)));
  tell({ stored: lines.length });
}

async function edit(local) {
  const all = await local.allDocs({ include_docs: true });
  const edited = all.rows.map((row, i) => ({ ...row.doc, [target]: String(15400000000 + i) }));
  await local.bulkDocs(edited);
  tell({ edited: edited.length });
}

async function replicate(local) {
  const remote = new PouchDB(target);
  const way = deed === "push" ? local.replicate.to : local.replicate.from;
  for (let attempt = 1; attempt <= Number(attempts) && elapsed() < Number(seconds); attempt++) {
    tell({ begun: attempt }); // should the promise never settle, this was the last word
    try {
      const result = await way.call(local.replicate, remote, { batch_size: BATCH });
      if (result.ok) return tell({ ok: true, seconds: elapsed(), local: (await local.info()).doc_count });
    } catch (error) {
      tell({ failed: String(error.message || error.reason || error) });
    }
    await new Promise((wake) => setTimeout(wake, PAUSE_MS));
  }
  return tell({ ok: false });
}

const local = new PouchDB(folder);
({ fill, edit }[deed] || replicate)(local).then(
  () => process.exit(0),
  (error) => { console.error(error); process.exit(1); },
);
