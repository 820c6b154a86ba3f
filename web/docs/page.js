// The API reference: Swagger UI on our own document. It asks nobody else for anything; what is tried goes to this server only.
SwaggerUIBundle({
	url: "/api/v1/openapi.json",
	dom_id: "#reference",
	layout: "BaseLayout",
	presets: [SwaggerUIBundle.presets.apis],
	validatorUrl: null, // or it would send the document to a public validator
	persistAuthorization: false, // a key is forgotten with the page
	tryItOutEnabled: true,
	requestSnippetsEnabled: true,
	displayRequestDuration: true,
	deepLinking: true,
	docExpansion: "list",
	defaultModelsExpandDepth: -1, // schemas are shown where they are used
	onComplete: () => document.body.classList.add("ready"),
});
