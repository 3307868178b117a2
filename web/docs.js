// Shows the OpenAPI document and sends requests as it describes them. Nothing is loaded from elsewhere.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(tag, options, ...children) {
  const e = document.createElement(tag);
  Object.assign(e, options || {});
  e.append(...children);
  return e;
}

const nameOf = (ref) => ref.split("/").pop();

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
  if (schema.type === "array") return "list of " + (schema.items ? typeOf(schema.items) : "anything");
  return [schema.type || "anything"].flat().join(" or ");
}

const BOUNDS = {
  minLength: "at least {} characters", maxLength: "at most {} characters", minimum: "from {}", maximum: "up to {}",
  maxItems: "at most {} items", pattern: "like {}", format: "{}", default: "default {}", "x-max-bytes": "at most {} bytes",
};

function boundsOf(schema) {
  return Object.entries(BOUNDS).filter(([key]) => key in schema)
    .map(([key, text]) => text.replace("{}", schema[key])).concat(schema.description || []).join("; ");
}

function fields(schema, prefix, rows) {
  for (const [name, sub] of Object.entries(schema.properties || {}).sort()) {
    const required = (schema.required || []).includes(name);
    rows.push([prefix + name + (required ? " *" : ""), typeOf(sub), boundsOf(sub)]);
    if (sub.type === "object") fields(sub, prefix + name + ".", rows);
    if (sub.type === "array" && sub.items && sub.items.properties) fields(sub.items, prefix + name + "[].", rows);
  }
  return rows;
}

function table(head, rows) {
  const body = rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))));
  return element("div", { className: "scroll" }, element("table", {},
    element("tr", {}, ...head.map((h) => element("th", {}, h))), ...body));
}

function example(schema, components) {
  const named = schema.$ref ? components[nameOf(schema.$ref)] : schema;
  return (named.examples && named.examples[0]) || {};
}

function input(id, label, value) {
  return [element("label", { htmlFor: id }, label), element("input", { id, value, autocomplete: "off" })];
}

// A form that makes the request of an operation.
function tryIt(method, path, operation, components) {
  const box = element("form", { className: "try" });
  const parameters = (operation.parameters || []).filter((p) => p.in !== "header");
  const key = operation.operationId;
  for (const p of parameters) box.append(...input(key + "-" + p.name, p.name, p.in === "path" ? "try-it" : ""));
  const schema = operation.requestBody && operation.requestBody.content["application/json"].schema;
  const body = schema && element("textarea", {
    id: key + "-body", value: JSON.stringify(example(schema, components), null, 2), spellcheck: false,
  });
  if (body) box.append(element("label", { htmlFor: body.id }, "Body"), body);
  const result = element("pre", { hidden: true });
  box.append(element("button", { type: "submit" }, "Try it"), result);
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    for (const p of parameters) {
      const value = document.getElementById(key + "-" + p.name).value;
      if (p.in === "path") url = url.replace("{" + p.name + "}", encodeURIComponent(value));
      else if (value) query.set(p.name, value);
    }
    if ([...query].length) url += "?" + query;
    const headers = {};
    const token = document.getElementById("token").value.trim();
    if (token) headers.Authorization = "Bearer " + token;
    if (body) headers["Content-Type"] = "application/json";
    result.hidden = false;
    result.className = "";
    result.textContent = "…";
    try {
      const r = await fetch(url, { method: method.toUpperCase(), headers, body: body && body.value });
      const text = await r.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch (e) { /* not JSON: as it is */ }
      result.className = r.ok ? "" : "bad";
      result.textContent = r.status + " " + r.statusText + "\n\n" + shown;
    } catch (e) {
      result.className = "bad";
      result.textContent = "The server cannot be reached.";
    }
  });
  return box;
}

function operationBox(method, path, operation, components) {
  const rows = Object.entries(operation.responses).sort().map(([status, r]) => {
    const content = Object.values(r.content || {})[0];
    return [status, content ? typeOf(content.schema) : "", r.description];
  });
  const box = element("details", { id: operation.operationId },
    element("summary", {}, element("span", { className: "method" }, method.toUpperCase()),
      element("code", {}, path), " ", element("span", { className: "what" }, operation.summary || "")));
  if (operation.description) box.append(element("p", {}, operation.description));
  if (operation.parameters && operation.parameters.length) {
    box.append(element("h3", {}, "Parameters"), table(["name", "in", "type", ""],
      operation.parameters.map((p) => [p.name, p.in, typeOf(p.schema), p.description || ""])));
  }
  if (operation.requestBody) {
    const schema = operation.requestBody.content["application/json"].schema;
    box.append(element("p", {}, "Body: ", element("a", { href: "#schema-" + typeOf(schema) }, typeOf(schema))));
  }
  box.append(element("h3", {}, "Answers"), table(["status", "body", ""], rows),
    tryIt(method, path, operation, components));
  return box;
}

function schemaBox(name, schema) {
  const box = element("details", { id: "schema-" + name }, element("summary", {}, element("code", {}, name),
    " ", element("span", { className: "what" }, schema.description || "")),
  schema.anyOf ? element("p", {}, typeOf(schema)) : table(["field (* required)", "type", ""], fields(schema, "", [])));
  if (schema.examples) box.append(element("pre", {}, JSON.stringify(schema.examples[0], null, 2)));
  return box;
}

async function start() {
  const main = document.getElementById("operations");
  let doc;
  try {
    doc = await (await fetch("/api/v1/openapi.json")).json();
  } catch (e) {
    document.getElementById("loading").textContent = "The contract cannot be loaded: is the server running?";
    return;
  }
  document.getElementById("version").textContent = doc.info.version;
  document.getElementById("about").textContent = doc.info.description;
  const components = doc.components.schemas;
  main.replaceChildren();
  for (const [path, item] of Object.entries(doc.paths).sort()) {
    for (const method of METHODS.filter((m) => item[m])) main.append(operationBox(method, path, item[method], components));
  }
  const schemas = document.getElementById("schemas");
  for (const [name, schema] of Object.entries(components).sort()) schemas.append(schemaBox(name, schema));
  addEventListener("hashchange", openTarget);
  openTarget();
}

function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}

start();
