// Shows the service's own document. A file of its own, because the page's security policy runs no inline script.
SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  // No document can be slipped in by the page's address, and no other host is asked whether ours is valid.
  queryConfigEnabled: false,
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
});
