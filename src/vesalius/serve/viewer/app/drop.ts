// Files and folders that are dropped on the page, or chosen: one flat list of files.

/** Let files and folders be dropped anywhere on `target`; the class `over` is on it meanwhile. */
export function takeDrops(target: HTMLElement, take: (files: File[]) => void): void {
  let depth = 0;
  const files = (e: DragEvent) => e.dataTransfer?.types.includes("Files") ?? false;
  target.addEventListener("dragenter", (e) => {
    if (!files(e)) return;
    e.preventDefault();
    depth += 1;
    target.classList.add("over");
  });
  target.addEventListener("dragover", (e) => files(e) && e.preventDefault());
  target.addEventListener("dragleave", (e) => {
    if (files(e) && --depth <= 0) target.classList.remove("over");
  });
  target.addEventListener("drop", async (e) => {
    if (!files(e)) return;
    e.preventDefault();
    depth = 0;
    target.classList.remove("over");
    take(await dropped(e.dataTransfer!));
  });
}

async function dropped(data: DataTransfer): Promise<File[]> {
  // entries must be taken before anything is awaited: the list is emptied after the event
  const entries = [...data.items].filter((i) => i.kind === "file").map((i) => i.webkitGetAsEntry?.() ?? i.getAsFile());
  const found: File[] = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push(entry);
    else if (entry) await collect(entry, found);
  }
  return found.filter(worthSending);
}

async function collect(entry: FileSystemEntry, into: File[]): Promise<void> {
  if (entry.isFile) {
    into.push(await new Promise<File>((ok, no) => (entry as FileSystemFileEntry).file(ok, no)));
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no)); // 100 at a time
    if (!some.length) return;
    for (const inner of some) await collect(inner, into);
  }
}

/** Hidden files, and what systems leave in folders, are not sent. */
export function worthSending(file: File): boolean {
  return !file.name.startsWith(".") && !["Thumbs.db", "desktop.ini"].includes(file.name);
}
