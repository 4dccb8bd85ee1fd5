// Shows openapi.json without anything from the network: routes, the fields of what is sent and answered, statuses.

const place = document.getElementById("routes");

function element(name, text = "", ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

/** A schema in a word: `list of texts`, `Asked`, `whole number` … */
function kindOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(kindOf).filter((kind) => kind !== "null").join(" or ");
  if (schema.type === "array") return `list of ${kindOf(schema.items) || "values"}`;
  if (schema.type === "object" && schema.additionalProperties) return `object of ${kindOf(schema.additionalProperties) || "values"}`;
  return { integer: "whole number", string: "text", boolean: "true or false" }[schema.type] ?? schema.type ?? "";
}

function fieldsOf(name, schema) {
  const head = element("thead", "", element("tr", "", ...["field", "kind", "meaning"].map((title) => element("th", title))));
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([field, one]) => {
    const byDefault = one.default !== undefined && one.default !== null && one.default !== "" ? `, by default ${JSON.stringify(one.default)}` : "";
    const kind = `${kindOf(one)}${required.has(field) ? "" : " (may be left out)"}`;
    return element("tr", "", element("td", "", element("code", field)), element("td", kind), element("td", (one.description ?? "") + byDefault));
  });
  const table = element("table", "", head, element("tbody", "", ...rows));
  const scroll = element("div", "", table);
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", `Fields of ${name}`);
  return element("section", "", element("h3", name), scroll);
}

async function show() {
  const document_ = await (await fetch("openapi.json")).json();
  if (document_.error) throw new Error(document_.error.message);
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, route] of Object.entries(methods)) {
      const sent = kindOf(route.requestBody?.content?.["application/json"]?.schema);
      const answered = kindOf(route.responses["200"]?.content?.["application/json"]?.schema);
      const part = element("section", "", element("h2", `${method.toUpperCase()} ${path}`), element("p", route.summary), element("p", route.description ?? ""));
      for (const one of route.parameters ?? []) part.append(element("p", `?${one.name}= ${kindOf(one.schema)}`));
      if (sent) part.append(element("p", `Send: ${sent}`));
      if (answered) part.append(element("p", `Get: ${answered}`));
      part.append(element("p", `Statuses: ${Object.entries(route.responses).map(([status, one]) => `${status} ${one.description}`).join(" ")}`));
      place.append(part);
    }
  }
  place.append(element("h2", "Forms"));
  for (const [name, schema] of Object.entries(document_.components.schemas)) place.append(fieldsOf(name, schema));
}

show().catch((error) => { document.getElementById("problem").textContent = error.message; });
