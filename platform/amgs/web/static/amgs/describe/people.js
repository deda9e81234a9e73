// Rows of people: one more, one less. Without this script there is always one empty row.

const list = document.querySelector("#people-rows ol");
const add = document.getElementById("add-person");
const blank = list.lastElementChild.cloneNode(true);
let made = 0;

function dress(row) {
  const remove = row.querySelector(".remove-person");
  const name = row.querySelector("[name=person-name]");
  const said = remove.querySelector("span");
  remove.hidden = false;
  name.addEventListener("input", () => {
    said.textContent = ` ${name.value.trim() || "this person"}`;
  });
  remove.addEventListener("click", () => {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("input") ?? add).focus();
  });
}

for (const row of list.children) dress(row);
add.hidden = false;
add.addEventListener("click", () => {
  const row = blank.cloneNode(true);
  made += 1;
  for (const field of row.querySelectorAll("[id]")) field.id += `-${made}`;
  for (const label of row.querySelectorAll("label")) label.htmlFor += `-${made}`;
  list.append(row);
  dress(row);
  row.querySelector("input").focus();
});
