// Shows the service's own document. This is a file, because the page's security policy forbids inline scripts.
SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  // The page's URL cannot inject another document, and no other host is asked to validate ours.
  queryConfigEnabled: false,
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
});
