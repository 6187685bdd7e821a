package desk

import "github.com/mianmi/mianmi"

var kindWords = map[Kind]mianmi.Text{
	Feedback:  {ZH: "意见反馈", EN: "feedback"},
	Help:      {ZH: "求助", EN: "help request"},
	Loss:      {ZH: "挂失", EN: "loss report"},
	Fraud:     {ZH: "盗刷", EN: "fraud report"},
	Dispute:   {ZH: "争议", EN: "dispute"},
	Complaint: {ZH: "投诉", EN: "complaint"},
}

// Words is the kind for people.
func (k Kind) Words() mianmi.Text { return kindWords[k] }

var stateWords = map[State]mianmi.Text{
	Open:            {ZH: "待受理", EN: "not taken up yet"},
	InProgress:      {ZH: "处理中", EN: "in progress"},
	WaitingPayer:    {ZH: "等待付款人回复", EN: "waiting for the payer"},
	WaitingMerchant: {ZH: "等待商户回复", EN: "waiting for the merchant"},
	WaitingBank:     {ZH: "等待银行或渠道回复", EN: "waiting for the bank or the channel"},
	Decided:         {ZH: "已作出决定", EN: "decided"},
	Closed:          {ZH: "已结束", EN: "closed"},
}

// Words is the state for people.
func (s State) Words() mianmi.Text { return stateWords[s] }

var verdictWords = map[Verdict]mianmi.Text{
	Upheld:    {ZH: "支持付款人", EN: "the payer is right"},
	Partly:    {ZH: "部分支持付款人", EN: "the payer is right in part"},
	Rejected:  {ZH: "不支持，由付款人承担", EN: "the payer bears it"},
	Answered:  {ZH: "已答复", EN: "answered"},
	Withdrawn: {ZH: "付款人已撤回", EN: "withdrawn by the payer"},
}

// Words is the verdict for people.
func (v Verdict) Words() mianmi.Text { return verdictWords[v] }

var audienceWords = map[Audience]mianmi.Text{
	Inside:      {ZH: "内部", EN: "inside"},
	ForPayer:    {ZH: "付款人可见", EN: "payer"},
	ForMerchant: {ZH: "商户可见", EN: "merchant"},
}

// Words is who may read a note, for people.
func (a Audience) Words() mianmi.Text { return audienceWords[a] }

var actWords = map[Act]mianmi.Text{
	CloseAll:       {ZH: "关闭全部免密", EN: "PIN-free payment closed"},
	ReportLoss:     {ZH: "挂失", EN: "loss reported"},
	CloseAgreement: {ZH: "关闭免密签约", EN: "agreement closed"},
	Hold:           {ZH: "暂停免密", EN: "PIN-free payment put on hold"},
	LiftHold:       {ZH: "解除暂停", EN: "hold lifted"},
	AllowOnce:      {ZH: "单次放行", EN: "one payment allowed"},
	LiftLoss:       {ZH: "解除挂失", EN: "loss report lifted"},
	Unlock:         {ZH: "解锁支付密码", EN: "payment password unlocked"},
	ResetPassword:  {ZH: "重置支付密码", EN: "payment password reset"},
}

// Words is the act for people.
func (a Act) Words() mianmi.Text { return actWords[a] }
