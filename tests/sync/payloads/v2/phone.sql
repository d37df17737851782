BEGIN TRANSACTION;
CREATE TABLE "conflict" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER,
   "generation" INTEGER,
   "household_id" TEXT,
   "state" TEXT,
   "values" TEXT
);
CREATE TABLE "consent" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "household_id" TEXT,
   "member_id" TEXT,
   "consent_kind" TEXT,
   "text_version" TEXT,
   "given" INTEGER,
   "method" TEXT,
   "witness" TEXT,
   "consented_on" TEXT,
   "withdrawn_on" TEXT,
   "deleted" INTEGER
);
INSERT INTO "consent" VALUES('8712b83ztkefhke8s',7,'{"household_id":"8712b83ztkefh","member_id":"8712b83ztkefhnjnb","consent_kind":"survey","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','73a9bef499bbf4dc',0,'8712b83ztkefh','8712b83ztkefhnjnb','survey','2026-11',1,'2','罗见证','2026-11-20',NULL,NULL);
INSERT INTO "consent" VALUES('8712b83ztkefhvtm1',8,'{"household_id":"8712b83ztkefh","member_id":"8712b83ztkefhnjnb","consent_kind":"share_hr","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','73a9bef499bbf4dc',0,'8712b83ztkefh','8712b83ztkefhnjnb','share_hr','2026-11',1,'2','罗见证','2026-11-20',NULL,NULL);
INSERT INTO "consent" VALUES('c6k3pkzm94172mt2a',0,NULL,NULL,0,'c6k3pkzm94172','c6k3pkzm94172bmzx','survey','2026-11',1,'2','罗见证','2026-11-20',NULL,NULL);
INSERT INTO "consent" VALUES('c6k3pkzm94172n48x',0,NULL,NULL,0,'c6k3pkzm94172','c6k3pkzm94172bmzx','share_hr','2026-11',1,'2','罗见证','2026-11-20',NULL,NULL);
CREATE TABLE "division" (
   "code" TEXT PRIMARY KEY,
   "name" TEXT,
   "level" INTEGER
);
INSERT INTO "division" VALUES('522326000000','望谟县',3);
INSERT INTO "division" VALUES('522326001000','王母街道',4);
INSERT INTO "division" VALUES('522326001001','河东社区',5);
INSERT INTO "division" VALUES('522326001002','河西社区',5);
INSERT INTO "division" VALUES('522326001004','城北社区',5);
INSERT INTO "division" VALUES('522326001201','王母村',5);
INSERT INTO "division" VALUES('522326001203','平绕村',5);
INSERT INTO "division" VALUES('522326001204','祥乐村',5);
CREATE TABLE "draft" (
   "record_id" TEXT,
   "field" TEXT,
   "kind" TEXT,
   "household_id" TEXT,
   "value" TEXT,
   "epoch" TEXT,
   "base" INTEGER,
   "at_ms" INTEGER,
   PRIMARY KEY ("record_id", "field")
);
INSERT INTO "draft" VALUES('fp8a7vxea95ft','survey_date','household','fp8a7vxea95ft','"2026-11-20"','73a9bef499bbf4dc',0,1795168992000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft','village_code','household','fp8a7vxea95ft','"522326001001"','73a9bef499bbf4dc',0,1795168992000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft','group_no','household','fp8a7vxea95ft','"五组"','73a9bef499bbf4dc',0,1795168992000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftvfjk','household_id','member','fp8a7vxea95ft','"fp8a7vxea95ft"','73a9bef499bbf4dc',0,1795168993000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftvfjk','name','member','fp8a7vxea95ft','"蒙小妹"','73a9bef499bbf4dc',0,1795168994000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftvfjk','sex','member','fp8a7vxea95ft','"2"','73a9bef499bbf4dc',0,1795168995000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftvfjk','birth_date','member','fp8a7vxea95ft','"1995-02-03"','73a9bef499bbf4dc',0,1795168996000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftvfjk','relation','member','fp8a7vxea95ft','"02"','73a9bef499bbf4dc',0,1795168997000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftvfjk','work_form','member','fp8a7vxea95ft','"2"','73a9bef499bbf4dc',0,1795168998000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftvfjk','labour_ability','member','fp8a7vxea95ft','"1"','73a9bef499bbf4dc',0,1795168999000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftjqqv','household_id','consent','fp8a7vxea95ft','"fp8a7vxea95ft"','73a9bef499bbf4dc',0,1795169000000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftjqqv','member_id','consent','fp8a7vxea95ft','"fp8a7vxea95ftvfjk"','73a9bef499bbf4dc',0,1795169000000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftjqqv','consent_kind','consent','fp8a7vxea95ft','"survey"','73a9bef499bbf4dc',0,1795169000000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftjqqv','given','consent','fp8a7vxea95ft','true','73a9bef499bbf4dc',0,1795169000000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftjqqv','method','consent','fp8a7vxea95ft','"2"','73a9bef499bbf4dc',0,1795169000000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftjqqv','witness','consent','fp8a7vxea95ft','"罗见证"','73a9bef499bbf4dc',0,1795169000000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftz0gw','household_id','consent','fp8a7vxea95ft','"fp8a7vxea95ft"','73a9bef499bbf4dc',0,1795169001000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftz0gw','member_id','consent','fp8a7vxea95ft','"fp8a7vxea95ftvfjk"','73a9bef499bbf4dc',0,1795169001000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftz0gw','consent_kind','consent','fp8a7vxea95ft','"share_hr"','73a9bef499bbf4dc',0,1795169001000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftz0gw','given','consent','fp8a7vxea95ft','true','73a9bef499bbf4dc',0,1795169001000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftz0gw','method','consent','fp8a7vxea95ft','"2"','73a9bef499bbf4dc',0,1795169001000);
INSERT INTO "draft" VALUES('fp8a7vxea95ftz0gw','witness','consent','fp8a7vxea95ft','"罗见证"','73a9bef499bbf4dc',0,1795169001000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','household_id','intention','fp8a7vxea95ft','"fp8a7vxea95ft"','73a9bef499bbf4dc',0,1795169002000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','member_id','intention','fp8a7vxea95ft','"fp8a7vxea95ftvfjk"','73a9bef499bbf4dc',0,1795169002000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','wants_job','intention','fp8a7vxea95ft','"1"','73a9bef499bbf4dc',0,1795169002000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','available_from','intention','fp8a7vxea95ft','"2026-11-20"','73a9bef499bbf4dc',0,1795169003000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','reach','intention','fp8a7vxea95ft','"4"','73a9bef499bbf4dc',0,1795169004000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','together_with','intention','fp8a7vxea95ft','"0"','73a9bef499bbf4dc',0,1795169005000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','occupations','intention','fp8a7vxea95ft','["01"]','73a9bef499bbf4dc',0,1795169006000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','wage_floor','intention','fp8a7vxea95ft','4500','73a9bef499bbf4dc',0,1795169007000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','training_wish','intention','fp8a7vxea95ft','false','73a9bef499bbf4dc',0,1795169008000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','startup_wish','intention','fp8a7vxea95ft','false','73a9bef499bbf4dc',0,1795169009000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','public_post_wish','intention','fp8a7vxea95ft','false','73a9bef499bbf4dc',0,1795169010000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','workshop_wish','intention','fp8a7vxea95ft','false','73a9bef499bbf4dc',0,1795169011000);
INSERT INTO "draft" VALUES('fp8a7vxea95ft59pn','needs_lodging','intention','fp8a7vxea95ft','true','73a9bef499bbf4dc',0,1795169012000);
CREATE TABLE "household" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "village_code" TEXT,
   "group_no" TEXT,
   "address" TEXT,
   "relocated" INTEGER,
   "relocation_site" TEXT,
   "former_village" TEXT,
   "registry_no" TEXT,
   "category" TEXT,
   "jdlk_from" TEXT,
   "jdlk_to" TEXT,
   "monitor_type" TEXT,
   "risk_cleared" INTEGER,
   "dibao" INTEGER,
   "tekun" INTEGER,
   "is_split" INTEGER,
   "split_from" TEXT,
   "split_on" TEXT,
   "split_reason" TEXT,
   "phone" TEXT,
   "no_phone_reason" TEXT,
   "helper_name" TEXT,
   "helper_phone" TEXT,
   "responsible_cadre" TEXT,
   "office_phone" TEXT,
   "yearly_income_band" TEXT,
   "labour_income_share" TEXT,
   "survey_date" TEXT,
   "survey_mode" TEXT,
   "respondent_relation" TEXT,
   "head_member_id" TEXT,
   "rule_reasons" TEXT,
   "deleted" INTEGER
);
INSERT INTO "household" VALUES('8712b83ztkefh',15,'{"village_code":"522326001001","group_no":"二组","address":"坡上新屋","relocated":false,"category":"1","dibao":false,"tekun":false,"is_split":true,"split_on":"2026-01-10","split_reason":"1","phone":"13900000510","responsible_cadre":"测试村干","survey_date":"2026-11-20","survey_mode":"1","head_member_id":"8712b83ztkefhnjnb"}','73a9bef499bbf4dc',0,'522326001001','二组','坡上新屋',0,NULL,NULL,NULL,'1',NULL,NULL,NULL,NULL,0,0,1,NULL,'2026-01-10','1','13900000511',NULL,NULL,NULL,'测试村干',NULL,NULL,NULL,'2026-11-20','1',NULL,'8712b83ztkefhnjnb',NULL,NULL);
INSERT INTO "household" VALUES('c6k3pkzm94172',0,NULL,NULL,0,'522326001001','二组',NULL,0,NULL,NULL,NULL,'1',NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,'13900000530',NULL,NULL,NULL,'测试村干',NULL,NULL,NULL,'2026-11-20','1',NULL,'c6k3pkzm94172bmzx',NULL,NULL);
CREATE TABLE "intention" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "household_id" TEXT,
   "member_id" TEXT,
   "wants_job" TEXT,
   "not_leaving_reason" TEXT,
   "available_from" TEXT,
   "reach" TEXT,
   "regions" TEXT,
   "together_with" TEXT,
   "together_members" TEXT,
   "any_occupation" INTEGER,
   "occupations" TEXT,
   "industries" TEXT,
   "wage_floor" INTEGER,
   "needs_lodging" INTEGER,
   "needs_meals" INTEGER,
   "night_shift_ok" INTEGER,
   "share_ethnic" INTEGER,
   "training_wish" INTEGER,
   "courses" TEXT,
   "course_attend" TEXT,
   "startup_wish" INTEGER,
   "startup_item" TEXT,
   "public_post_wish" INTEGER,
   "workshop_wish" INTEGER,
   "referred_by_broker" TEXT,
   "confirmed_on" TEXT,
   "deleted" INTEGER
);
INSERT INTO "intention" VALUES('8712b83ztkefhcmw9',13,'{"household_id":"8712b83ztkefh","member_id":"8712b83ztkefhnjnb","wants_job":"1","available_from":"2026-11-20","reach":"4","together_with":"0","occupations":["01"],"wage_floor":5000,"needs_lodging":true,"needs_meals":true,"training_wish":false,"startup_wish":false,"public_post_wish":false,"workshop_wish":false,"confirmed_on":"2026-11-20"}','73a9bef499bbf4dc',0,'8712b83ztkefh','8712b83ztkefhnjnb','1',NULL,'2026-11-20','4',NULL,'0',NULL,NULL,'["01"]',NULL,5000,0,1,NULL,NULL,0,NULL,NULL,0,NULL,0,0,NULL,'2026-11-20',NULL);
INSERT INTO "intention" VALUES('c6k3pkzm94172y1k0',0,NULL,NULL,0,'c6k3pkzm94172','c6k3pkzm94172bmzx','1',NULL,'2026-11-20','4',NULL,'0',NULL,NULL,'["01"]',NULL,4500,1,NULL,NULL,NULL,0,NULL,NULL,0,NULL,0,0,NULL,'2026-11-20',NULL);
CREATE TABLE "member" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "household_id" TEXT,
   "id_no" TEXT,
   "no_id_reason" TEXT,
   "name" TEXT,
   "sex" TEXT,
   "birth_date" TEXT,
   "relation" TEXT,
   "member_change" TEXT,
   "lives_here" INTEGER,
   "hukou_village" TEXT,
   "phone" TEXT,
   "ethnic" TEXT,
   "in_school" TEXT,
   "graduates_on" TEXT,
   "education" TEXT,
   "illiterate" INTEGER,
   "marital" TEXT,
   "political" TEXT,
   "speaks_mandarin" TEXT,
   "health" TEXT,
   "disability_level" TEXT,
   "labour_ability" TEXT,
   "skills" TEXT,
   "work_form" TEXT,
   "public_post" TEXT,
   "work_region" TEXT,
   "work_place_code" TEXT,
   "work_employer" TEXT,
   "work_occupation" TEXT,
   "work_wage" INTEGER,
   "work_since" TEXT,
   "work_months" INTEGER,
   "work_channel" TEXT,
   "person_no" TEXT,
   "deleted" INTEGER
);
INSERT INTO "member" VALUES('8712b83ztkefhnjnb',12,'{"household_id":"8712b83ztkefh","id_no":"522399198503125111","name":"韦正明","sex":"1","birth_date":"1985-03-12","relation":"02","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"1","skills":[{"cert_date":"2020-05-01","cert_no":"甲510","level":"1","occupation":"01"}],"work_form":"2","work_region":"2","work_place_code":"522326000000","work_months":6}','73a9bef499bbf4dc',0,'8712b83ztkefh','522399198503125111',NULL,'韦正明','1','1985-03-12','02',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'1','[{"cert_date":"2020-05-01","cert_no":"甲510","level":"1","occupation":"01"}]','2',NULL,'2','522326000000',NULL,NULL,NULL,NULL,6,NULL,NULL,NULL);
INSERT INTO "member" VALUES('8712b83ztkefhhxaf',3,'{"household_id":"8712b83ztkefh","id_no":"522399198707045121","name":"岑秀兰","sex":"2","birth_date":"1987-07-04","relation":"10","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"4","work_form":"7"}','73a9bef499bbf4dc',0,'8712b83ztkefh','522399198707045121',NULL,'岑秀兰','2','1987-07-04','10',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'4',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('8712b83ztkefh5t6m',4,'{"household_id":"8712b83ztkefh","id_no":"522399196001095144","name":"罗阿妹","sex":"2","birth_date":"1960-01-09","relation":"52","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"3","work_form":"7"}','73a9bef499bbf4dc',0,'8712b83ztkefh','522399196001095144',NULL,'罗阿妹','2','1960-01-09','52',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'3',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('8712b83ztkefhzv1z',16,'{"household_id":"8712b83ztkefh","name":"韦小军","sex":"1","birth_date":"2015-05-05","relation":"20","lives_here":true,"in_school":"1","deleted":true}','73a9bef499bbf4dc',0,'8712b83ztkefh',NULL,NULL,'韦小军','1','2015-05-05','20',NULL,1,NULL,NULL,NULL,'1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1);
INSERT INTO "member" VALUES('c6k3pkzm94172bmzx',0,NULL,NULL,0,'c6k3pkzm94172','522399198503125314',NULL,'陆正明','1','1985-03-12','02',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'1',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('c6k3pkzm94172s8pe',0,NULL,NULL,0,'c6k3pkzm94172','522399198707045324',NULL,'岑秀兰','2','1987-07-04','10',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'4',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('c6k3pkzm94172jzqa',0,NULL,NULL,0,'c6k3pkzm94172','522399196001095347',NULL,'罗阿妹','2','1960-01-09','52',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'3',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('c6k3pkzm94172ba8w',0,NULL,NULL,0,'c6k3pkzm94172',NULL,NULL,'陆小军','1','2015-05-05','20',NULL,1,NULL,NULL,NULL,'1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "meta" (
   "key" TEXT PRIMARY KEY,
   "value" TEXT
);
INSERT INTO "meta" VALUES('incarnation','"cy612zyy6h1vr"');
INSERT INTO "meta" VALUES('schema','2');
INSERT INTO "meta" VALUES('server','"http://127.0.0.1:1"');
INSERT INTO "meta" VALUES('token','"30901b064e853d2d35913c531e50702ca299fe22d4489a82b0079e824abc145c"');
INSERT INTO "meta" VALUES('device_id','"3p266wcy755br"');
INSERT INTO "meta" VALUES('epoch','"73a9bef499bbf4dc"');
INSERT INTO "meta" VALUES('county','"522326"');
INSERT INTO "meta" VALUES('scope','"522326001"');
INSERT INTO "meta" VALUES('cadre','"测试村干"');
INSERT INTO "meta" VALUES('office_phone','null');
INSERT INTO "meta" VALUES('cursor','"73a9bef499bbf4dc.522326001.18.cebf01bc"');
INSERT INTO "meta" VALUES('last_result','{"sent":0,"received":0,"applied":0,"merged":0,"held":0,"conflicts":0,"returned":1,"remaining":0,"unconfirmed":0,"error":null,"finished_at_ms":1795168919000}');
INSERT INTO "meta" VALUES('next_n','16');
INSERT INTO "meta" VALUES('last_at_ms','1795169012000');
CREATE TABLE "outbox" (
   "id" INTEGER PRIMARY KEY,
   "incarnation" TEXT,
   "n" INTEGER,
   "kind" TEXT,
   "record_id" TEXT,
   "household_id" TEXT,
   "epoch" TEXT,
   "base" INTEGER,
   "at_ms" INTEGER,
   "values" TEXT,
   "state" TEXT,
   "outcome" TEXT,
   "reason" TEXT,
   "seq" INTEGER,
   "seen_seq" INTEGER,
   "covered" INTEGER,
   "answered_at_ms" INTEGER
);
INSERT INTO "outbox" VALUES(1,'cy612zyy6h1vr',1,'household','8712b83ztkefh','8712b83ztkefh','',0,1795168882000,'{"village_code":"522326001001","group_no":"二组","relocated":false,"category":"1","dibao":false,"tekun":false,"is_split":true,"split_on":"2026-01-10","split_reason":"1","phone":"13900000510","responsible_cadre":"测试村干","survey_date":"2026-11-20","survey_mode":"1","head_member_id":"8712b83ztkefhnjnb"}','acked','applied',NULL,1,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(2,'cy612zyy6h1vr',2,'member','8712b83ztkefhnjnb','8712b83ztkefh','',0,1795168879000,'{"household_id":"8712b83ztkefh","id_no":"522399198503125111","name":"韦正明","sex":"1","birth_date":"1985-03-12","relation":"02","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"1","skills":[{"occupation":"01","level":"1","cert_no":"甲510","cert_date":"2020-05-01"}],"work_form":"2","work_region":"2","work_place_code":"522326000000","work_wage":2800,"work_months":5}','acked','applied',NULL,2,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(3,'cy612zyy6h1vr',3,'member','8712b83ztkefhhxaf','8712b83ztkefh','',0,1795168839000,'{"household_id":"8712b83ztkefh","id_no":"522399198707045121","name":"岑秀兰","sex":"2","birth_date":"1987-07-04","relation":"10","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"4","work_form":"7"}','acked','applied',NULL,3,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(4,'cy612zyy6h1vr',4,'member','8712b83ztkefh5t6m','8712b83ztkefh','',0,1795168853000,'{"household_id":"8712b83ztkefh","id_no":"522399196001095144","name":"罗阿妹","sex":"2","birth_date":"1960-01-09","relation":"52","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"3","work_form":"7"}','acked','applied',NULL,4,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(5,'cy612zyy6h1vr',5,'member','8712b83ztkefhzv1z','8712b83ztkefh','',0,1795168860000,'{"household_id":"8712b83ztkefh","name":"韦小军","sex":"1","birth_date":"2015-05-05","relation":"20","lives_here":true,"in_school":"1"}','acked','applied',NULL,5,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(6,'cy612zyy6h1vr',6,'intention','8712b83ztkefhcmw9','8712b83ztkefh','',0,1795168883000,'{"household_id":"8712b83ztkefh","member_id":"8712b83ztkefhnjnb","wants_job":"1","available_from":"2026-11-20","reach":"4","together_with":"0","occupations":["01"],"wage_floor":4500,"needs_lodging":true,"training_wish":false,"startup_wish":false,"public_post_wish":false,"workshop_wish":false,"confirmed_on":"2026-11-20"}','acked','applied',NULL,6,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(7,'cy612zyy6h1vr',7,'consent','8712b83ztkefhke8s','8712b83ztkefh','',0,1795168862000,'{"household_id":"8712b83ztkefh","member_id":"8712b83ztkefhnjnb","consent_kind":"survey","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','acked','applied',NULL,7,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(8,'cy612zyy6h1vr',8,'consent','8712b83ztkefhvtm1','8712b83ztkefh','',0,1795168863000,'{"household_id":"8712b83ztkefh","member_id":"8712b83ztkefhnjnb","consent_kind":"share_hr","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','acked','applied',NULL,8,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(9,'cy612zyy6h1vr',9,'placement','8712b83ztkefhwk0h','8712b83ztkefh','',0,1795168885000,'{"household_id":"8712b83ztkefh","member_id":"8712b83ztkefhnjnb","placement_kind":"5","employer_name":"坎边零工点","place_code":"522326000000","started_on":"2026-06-01","monthly_wage":2800,"contract":false,"responsible":"测试村干","state":"on_job"}','acked','applied',NULL,9,NULL,1,1795168890000);
INSERT INTO "outbox" VALUES(10,'cy612zyy6h1vr',10,'household','8712b83ztkefh','8712b83ztkefh','73a9bef499bbf4dc',1,1795168893000,'{"address":"坡上新屋","survey_date":"2026-11-20"}','acked','applied',NULL,11,NULL,1,1795168903000);
INSERT INTO "outbox" VALUES(11,'cy612zyy6h1vr',11,'member','8712b83ztkefhnjnb','8712b83ztkefh','73a9bef499bbf4dc',2,1795168895000,'{"work_wage":null,"work_months":6}','acked','applied',NULL,12,NULL,1,1795168903000);
INSERT INTO "outbox" VALUES(12,'cy612zyy6h1vr',12,'intention','8712b83ztkefhcmw9','8712b83ztkefh','73a9bef499bbf4dc',6,1795168897000,'{"wage_floor":5000,"needs_meals":true}','acked','applied',NULL,13,NULL,1,1795168903000);
INSERT INTO "outbox" VALUES(13,'cy612zyy6h1vr',13,'household','8712b83ztkefh','8712b83ztkefh','73a9bef499bbf4dc',11,1795168906000,'{"survey_date":"2026-11-20"}','acked','applied',NULL,15,NULL,1,1795168912000);
INSERT INTO "outbox" VALUES(14,'cy612zyy6h1vr',14,'member','8712b83ztkefhzv1z','8712b83ztkefh','73a9bef499bbf4dc',5,1795168906000,'{"deleted":true}','acked','applied',NULL,16,NULL,1,1795168912000);
INSERT INTO "outbox" VALUES(15,'cy612zyy6h1vr',15,'household','8712b83ztkefh','8712b83ztkefh','73a9bef499bbf4dc',15,1795168921000,'{"phone":"13900000511","survey_date":"2026-11-20"}','sent',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(16,NULL,NULL,'intention','8712b83ztkefhcmw9','8712b83ztkefh','73a9bef499bbf4dc',13,1795168920000,'{"needs_lodging":false}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(17,NULL,NULL,'household','c6k3pkzm94172','c6k3pkzm94172','73a9bef499bbf4dc',0,1795168929000,'{"village_code":"522326001001","group_no":"二组","relocated":false,"category":"1","dibao":false,"tekun":false,"phone":"13900000530","responsible_cadre":"测试村干","survey_date":"2026-11-20","survey_mode":"1","head_member_id":"c6k3pkzm94172bmzx"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(18,NULL,NULL,'member','c6k3pkzm94172bmzx','c6k3pkzm94172','73a9bef499bbf4dc',0,1795168977000,'{"household_id":"c6k3pkzm94172","id_no":"522399198503125314","name":"陆正明","sex":"1","birth_date":"1985-03-12","relation":"02","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"1","work_form":"7"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(19,NULL,NULL,'member','c6k3pkzm94172s8pe','c6k3pkzm94172','73a9bef499bbf4dc',0,1795168955000,'{"household_id":"c6k3pkzm94172","id_no":"522399198707045324","name":"岑秀兰","sex":"2","birth_date":"1987-07-04","relation":"10","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"4","work_form":"7"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(20,NULL,NULL,'member','c6k3pkzm94172jzqa','c6k3pkzm94172','73a9bef499bbf4dc',0,1795168969000,'{"household_id":"c6k3pkzm94172","id_no":"522399196001095347","name":"罗阿妹","sex":"2","birth_date":"1960-01-09","relation":"52","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"3","work_form":"7"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(21,NULL,NULL,'member','c6k3pkzm94172ba8w','c6k3pkzm94172','73a9bef499bbf4dc',0,1795168976000,'{"household_id":"c6k3pkzm94172","name":"陆小军","sex":"1","birth_date":"2015-05-05","relation":"20","lives_here":true,"in_school":"1"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(22,NULL,NULL,'intention','c6k3pkzm94172y1k0','c6k3pkzm94172','73a9bef499bbf4dc',0,1795168990000,'{"household_id":"c6k3pkzm94172","member_id":"c6k3pkzm94172bmzx","wants_job":"1","available_from":"2026-11-20","reach":"4","together_with":"0","occupations":["01"],"wage_floor":4500,"needs_lodging":true,"training_wish":false,"startup_wish":false,"public_post_wish":false,"workshop_wish":false,"confirmed_on":"2026-11-20"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(23,NULL,NULL,'consent','c6k3pkzm94172mt2a','c6k3pkzm94172','73a9bef499bbf4dc',0,1795168978000,'{"household_id":"c6k3pkzm94172","member_id":"c6k3pkzm94172bmzx","consent_kind":"survey","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(24,NULL,NULL,'consent','c6k3pkzm94172n48x','c6k3pkzm94172','73a9bef499bbf4dc',0,1795168979000,'{"household_id":"c6k3pkzm94172","member_id":"c6k3pkzm94172bmzx","consent_kind":"share_hr","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
CREATE TABLE "placement" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "household_id" TEXT,
   "member_id" TEXT,
   "placement_kind" TEXT,
   "employer_name" TEXT,
   "place_code" TEXT,
   "occupation" TEXT,
   "started_on" TEXT,
   "monthly_wage" INTEGER,
   "contract" INTEGER,
   "social_insurance" INTEGER,
   "channel" TEXT,
   "agency" TEXT,
   "broker" TEXT,
   "referred_by" TEXT,
   "responsible" TEXT,
   "state" TEXT,
   "ended_on" TEXT,
   "end_reason" TEXT,
   "jdlk_at_start" INTEGER,
   "verified_by" TEXT,
   "deleted" INTEGER
);
INSERT INTO "placement" VALUES('8712b83ztkefhwk0h',9,'{"household_id":"8712b83ztkefh","member_id":"8712b83ztkefhnjnb","placement_kind":"5","employer_name":"坎边零工点","place_code":"522326000000","started_on":"2026-06-01","monthly_wage":2800,"contract":false,"responsible":"测试村干","state":"on_job"}','73a9bef499bbf4dc',0,'8712b83ztkefh','8712b83ztkefhnjnb','5','坎边零工点','522326000000',NULL,'2026-06-01',2800,0,NULL,NULL,NULL,NULL,NULL,'测试村干','on_job',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "position" (
   "household_id" TEXT PRIMARY KEY,
   "village_code" TEXT,
   "record_id" TEXT,
   "group_name" TEXT,
   "field" TEXT,
   "open" INTEGER
);
INSERT INTO "position" VALUES('fp8a7vxea95ft','522326001001','fp8a7vxea95ft59pn','terms','needs_lodging',1);
CREATE TABLE "review" (
   "household_id" TEXT PRIMARY KEY,
   "seq" INTEGER,
   "generation" INTEGER,
   "state" TEXT,
   "comments" TEXT,
   "decided_at_ms" INTEGER
);
INSERT INTO "review" VALUES('8712b83ztkefh',18,0,'returned','[{"field":"needs_lodging","kind":"intention","record_id":"8712b83ztkefhcmw9","text":"要不要住宿?"},{"field":"phone","kind":"household","record_id":"8712b83ztkefh","text":"电话打不通"}]',1795168915000);
CREATE UNIQUE INDEX "idx_outbox_incarnation_n"
    ON "outbox" ("incarnation", "n");
CREATE INDEX "idx_outbox_record_id"
    ON "outbox" ("record_id");
CREATE INDEX "idx_outbox_state"
    ON "outbox" ("state");
CREATE INDEX "idx_draft_household_id"
    ON "draft" ("household_id");
CREATE INDEX "idx_conflict_household_id"
    ON "conflict" ("household_id");
CREATE INDEX "idx_household_village_code"
    ON "household" ("village_code");
CREATE INDEX "idx_household_phone"
    ON "household" ("phone");
CREATE INDEX "idx_member_household_id"
    ON "member" ("household_id");
CREATE INDEX "idx_member_id_no"
    ON "member" ("id_no");
CREATE INDEX "idx_member_phone"
    ON "member" ("phone");
CREATE INDEX "idx_intention_household_id"
    ON "intention" ("household_id");
CREATE INDEX "idx_consent_household_id"
    ON "consent" ("household_id");
CREATE INDEX "idx_placement_household_id"
    ON "placement" ("household_id");
COMMIT;
