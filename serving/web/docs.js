// The API reference: Swagger UI over this server's own description, with the key of the tab.

import { key } from "./api.js";
import { translate } from "./words.js";

translate();
window.SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.querySelector("#reference"),
  deepLinking: true,
  supportedSubmitMethods: ["post"],
  showMutatedRequest: false, // else the curl command there shows the key
  validatorUrl: null, // no request to another host
  // The key of the tab, unless another was typed there.
  requestInterceptor: (request) => {
    if (key.get() && !request.headers.Authorization && request.url.includes("/predictions/")) request.headers.Authorization = `Bearer ${key.get()}`;
    return request;
  },
});
