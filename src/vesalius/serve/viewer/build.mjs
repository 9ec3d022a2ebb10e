// Builds the viewer into static/: one script, one style sheet, one page, and the licences of what is in them.
import { build } from "esbuild";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "static");
const root = join(here, "..", "..", "..", "..");

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await build({
  entryPoints: [join(here, "app", "main.ts")],
  outfile: join(out, "app.js"),
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  // the package's own entry is built for bundlers of its own; dist/index.js is whole
  alias: { "@niivue/niivue": join(root, "node_modules", "@niivue", "niivue", "dist", "index.js") },
  legalComments: "none",
  logLevel: "warning",
});
await cp(join(here, "page"), out, { recursive: true });
await writeFile(join(out, "licences.txt"), await licences());

/** The licence texts of all packages that are installed for use (not only for the build). */
async function licences() {
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"));
  const parts = [];
  for (const [place, facts] of Object.entries(lock.packages)) {
    if (!place || facts.dev || facts.optional) continue;
    const folder = join(root, place);
    const name = (await readdir(folder)).find((n) => /^licen[cs]e/i.test(n));
    // a package that brings no text has it in licences/; one without either stops the build
    const text = await readFile(name ? join(folder, name) : join(here, "licences", `${place.split("/").pop()}.txt`), "utf8");
    parts.push(`${place.replace("node_modules/", "")} ${facts.version} (${facts.license})\n\n${text.trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(80)}\n\n`);
}
