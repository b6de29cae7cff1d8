package main

const (
	acceptSource  = "accepting"
	deliverSource = "delivering"
)

// rules are ten routes such as a signing app has. None takes the webhooks that
// the client posts. [UPSTREAM] gets nothing by them.
const rules = `
		route declined  ` + "`event == \"document.declined\"`" + ` [UPSTREAM]
		route expired   ` + "`event == \"document.expired\"`" + ` [UPSTREAM]
		route voided    ` + "`event in [\"document.voided\", \"document.deleted\"]`" + ` [UPSTREAM]
		route signers   ` + "`event startsWith \"signer.\"`" + ` [UPSTREAM]
		route templates ` + "`event matches \"^template[.](created|updated)$\"`" + ` [UPSTREAM]
		route tests     ` + "`headers[\"user-agent\"] contains \"test\"`" + ` [UPSTREAM]
		route staging   ` + "`header(\"X-InSigner-Environment\") == \"staging\"`" + ` [UPSTREAM]
		route leases    ` + "`event == \"document.completed\" && body.data.document.title startsWith \"Lease\"`" + ` [UPSTREAM]
		route old       ` + "`body.api_version < \"2025-01-01\"`" + ` [UPSTREAM]
		route failed    ` + "`body.data.document.status in [\"failed\", \"blocked\"]`" + ` [UPSTREAM]
`

// caddyfile has both pairs of sites. Words in brackets are replaced.
const caddyfile = `{
	admin [ADMIN]
	auto_https off
	persist_config off
	default_bind 127.0.0.1
	storage file_system [DIR]/caddy
	log {
		level WARN
	}
	webhook_gateway {
		queue disk {
			path [DIR]/queue
		}
	}
}

http://[RESPOND] {
	respond 200
}

http://[ACCEPT] {
	webhook_gateway {
		source ` + acceptSource + `
		provider insigner [SECRET]
		insecure_http
` + rules + `
	}
}

http://[PROXY] {
	reverse_proxy [UPSTREAM]
}

http://[DELIVER] {
	webhook_gateway {
		source ` + deliverSource + `
		provider insigner [SECRET]
		insecure_http
` + rules + `
		otherwise [UPSTREAM]
	}
}
`
