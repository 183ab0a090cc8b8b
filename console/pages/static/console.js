// Comfort only: every page works without it.
"use strict";

// "Choose all" of a table.
for (const all of document.querySelectorAll("input.all")) {
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of all.closest("form").querySelectorAll('tbody input[type="checkbox"]')) box.checked = all.checked;
  });
}

// Typing another value chooses it.
for (const text of document.querySelectorAll("[data-chooses]")) {
  text.addEventListener("input", () => {
    text.closest(".side").querySelector('input[type="radio"]').checked = true;
  });
}

// A workbook may be dropped on its form.
for (const zone of document.querySelectorAll(".drop")) {
  const input = zone.querySelector('input[type="file"]');
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.remove("over"); });
  }
  zone.addEventListener("drop", (event) => {
    input.files = event.dataTransfer.files;
    if (input.files.length) input.form.requestSubmit();
  });
}
